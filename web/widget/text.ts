// Words, times and colours.

import type en from '../i18n/widget.en.json'
import type { Label } from './context'

export type Key = keyof typeof en
export type Locale = 'zh-CN' | 'en'

/** The visitor's choice, the page's, the browser's, then Chinese. */
export function pickLocale(...wishes: (string | null | undefined)[]): Locale {
  for (const wish of wishes) {
    if (/^zh/i.test(wish ?? '')) return 'zh-CN'
    if (/^en/i.test(wish ?? '')) return 'en'
  }
  return 'zh-CN'
}

/** Fetches a language: a visitor downloads one. */
export async function speak(locale: Locale): Promise<Words> {
  const { default: table } = await (locale === 'en'
    ? import('../i18n/widget.en.json') : import('../i18n/widget.zh-CN.json'))
  return new Words(locale, table)
}

export class Words {
  constructor(readonly locale: Locale, private readonly table: Record<Key, string>) {}

  t(key: Key, values: Record<string, string | number> = {}): string {
    return this.table[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
  }

  label(label: Label | undefined): string | undefined {
    if (!label) return undefined
    return label[this.locale] ?? label[this.locale.slice(0, 2)] ?? Object.values(label)[0]
  }

  clock(at: number): string {
    return this.format(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  }

  /** `Today 14:03`, `Yesterday 14:03`, `3 Nov, 14:03`. */
  when(at: number, now = Date.now()): string {
    const day = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0)
    const days = Math.round((day(now) - day(at)) / 86_400_000)
    const clock = this.clock(at)
    if (days === 0) return `${this.t('today')} ${clock}`
    if (days === 1) return `${this.t('yesterday')} ${clock}`
    const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? {} : { year: 'numeric' as const }
    return `${this.format(at, { month: 'short', day: 'numeric', ...year })} ${clock}`
  }

  exact(at: number): string {
    return this.format(at, { dateStyle: 'medium', timeStyle: 'long' })
  }

  private format(at: number, how: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.locale === 'en' ? 'en-GB' : 'zh-CN', how).format(at)
  }
}

/** First Han character or two initials. */
export function initials(name: string): string {
  const han = /\p{Script=Han}/u.exec(name)
  if (han) return han[0]
  const words = name.trim().split(/\s+/)
  return ((words[0]?.[0] ?? '?') + (words[1]?.[0] ?? '')).toUpperCase()
}
