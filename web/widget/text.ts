// Words, times and initials. There is one panel on a page, so there is one language: `t` is its table.

import type { Label, Locale, Words } from './context'

export let locale: Locale
export let t: Words

export function speak(language: Locale, words: Words): void {
  locale = language
  t = words
}

/** A sentence with its one hole filled. */
export function fill(sentence: string, value: string | number): string {
  return sentence.replace('{}', () => `${value}`)
}

export function label(of: Label = {}): string | undefined {
  return of[locale] ?? of[locale.slice(0, 2)] ?? Object.values(of)[0]
}

function format(at: number, how: Intl.DateTimeFormatOptions): string {
  return new Date(at).toLocaleString(locale === 'en' ? 'en-GB' : locale, how)
}

/** `Today 14:03`, `Yesterday 14:03`, `3 Nov 14:03`. */
export function when(at: number): string {
  const ago = (days: number): boolean =>
    new Date(Date.now() - days * 86_400_000).toDateString() === new Date(at).toDateString()
  const date = ago(0) ? t.today : ago(1) ? t.yesterday : format(at, { month: 'short', day: 'numeric' })
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
  const words = name.trim().split(/\s+/, 2)
  return /\p{Script=Han}/u.exec(name)?.[0] ?? words.map((word) => word[0] ?? '?').join('').toUpperCase()
}

export function megabytes(bytes: number): string {
  return `${Math.max(0.1, Math.round(bytes / 104_857.6) / 10)} MB`
}
