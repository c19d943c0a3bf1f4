// Words, times and initials. There is one panel on a page, so there is one language: `t` is its table.

import en from '../i18n/widget.en.json'
import zh from '../i18n/widget.zh-CN.json'
import type { Label } from './context'

export type Table = typeof en
export type Locale = 'zh-CN' | 'en'

export let locale: Locale = 'zh-CN'
export let t: Table = zh

export function speak(wish: Locale): void {
  locale = wish
  t = wish === 'en' ? en : zh
}

/** The visitor's choice, the page's, the browser's, then Chinese. */
export function pickLocale(...wishes: (string | null | undefined)[]): Locale {
  for (const wish of wishes) {
    if (/^zh/i.test(wish ?? '')) return 'zh-CN'
    if (/^en/i.test(wish ?? '')) return 'en'
  }
  return 'zh-CN'
}

/** A sentence with its one hole filled. */
export function fill(sentence: string, value: string | number): string {
  return sentence.replace(/\{\w+\}/, () => String(value))
}

export function label(of: Label | undefined): string | undefined {
  return of && (of[locale] ?? of[locale.slice(0, 2)] ?? Object.values(of)[0])
}

function format(at: number, how: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, how).format(at)
}

/** `Today 14:03`, `Yesterday 14:03`, `3 Nov 14:03`. */
export function when(at: number, now = Date.now()): string {
  const day = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0)
  const days = Math.round((day(now) - day(at)) / 86_400_000)
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric'
  const date = days === 0 ? t.today : days === 1 ? t.yesterday
    : format(at, { month: 'short', day: 'numeric', year })
  return `${date} ${clock(at)}`
}

export function clock(at: number): string {
  return format(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

export function exact(at: number): string {
  return format(at, { dateStyle: 'medium', timeStyle: 'long' })
}

/** First Han character or two initials. */
export function initials(name: string): string {
  const han = /\p{Script=Han}/u.exec(name)
  if (han) return han[0]
  const [one, two] = name.trim().split(/\s+/)
  return ((one?.[0] ?? '?') + (two?.[0] ?? '')).toUpperCase()
}
