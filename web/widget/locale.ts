// Which of the languages we speak someone wishes for.

import type { Locale } from './context'

/** The first wish that we can grant; else Chinese. */
export function pickLocale(...wishes: (string | undefined)[]): Locale {
  return /^e/i.test(wishes.find((wish) => /^(zh|en)/i.test(wish ?? '')) ?? '') ? 'en' : 'zh-CN'
}
