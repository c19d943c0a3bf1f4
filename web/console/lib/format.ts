// Times, durations and sizes as people read them. Times through Intl in the viewer's zone; nothing here reads a clock.

export type Language = 'zh-CN' | 'en'

const DAY = 86_400_000

function dayOf(at: number): number {
  const date = new Date(at)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime()
}

/** Today `14:03`, yesterday with the word, this year with the day, else with the year. */
export function moment(at: number, now: number, language: Language): string {
  const clock = new Intl.DateTimeFormat(language, {
    hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
  }).format(at)
  const days = Math.round((dayOf(now) - dayOf(at)) / DAY)
  if (days === 0) return clock
  if (days === 1) return `${language === 'en' ? 'Yesterday' : '昨天'} ${clock}`
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear()
  const day = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    day: 'numeric',
    month: language === 'en' ? 'short' : 'long',
    ...(sameYear ? {} : { year: 'numeric' as const }),
  }).format(at)
  return language === 'en' ? `${day}, ${clock}` : `${day} ${clock}`
}

/** With seconds and zone, for a title. */
export function exact(at: number, language: Language): string {
  return new Intl.DateTimeFormat(language, {
    dateStyle: 'medium', timeStyle: 'long', hourCycle: 'h23',
  }).format(at)
}

/** `m:ss`, from an hour on `h:mm:ss`; never negative. */
export function clock(ms: number): string {
  const all = Math.max(0, Math.floor(ms / 1000))
  const s = String(all % 60).padStart(2, '0')
  const m = Math.floor(all / 60) % 60
  const h = Math.floor(all / 3600)
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`, in the language's words. */
export function duration(ms: number, language: Language): string {
  const all = Math.max(0, Math.round(ms / 1000))
  const words = language === 'en' ? [' h', ' min', ' s'] : [' 小时', ' 分', ' 秒']
  const h = Math.floor(all / 3600)
  const m = Math.floor(all / 60) % 60
  const s = all % 60
  const parts = h > 0 ? [[h, words[0]], [m, words[1]]] : [[m, words[1]], [s, words[2]]]
  const shown = parts.filter(([n]) => n !== 0).map(([n, w]) => `${n}${w}`)
  return shown.length > 0 ? shown.join(' ') : `0${words[2]}`
}

/** Microseconds: `38 µs`, `1.2 ms`. */
export function micros(us: number): string {
  return us < 1000 ? `${Math.round(us)} µs` : `${(us / 1000).toFixed(1)} ms`
}

export function count(n: number, language: Language): string {
  return new Intl.NumberFormat(language).format(n)
}

/** First Han character, or up to two initials. */
export function initials(name: string): string {
  const text = name.trim()
  const han = /\p{Script=Han}/u.exec(text)
  if (han) return han[0]
  const words = text.split(/[\s._-]+/).filter(Boolean)
  const letters = words.slice(0, 2).map((word) => Array.from(word)[0] ?? '')
  return letters.join('').toUpperCase() || '?'
}

/** One of 8 tints, the same for the same id. */
export function tint(id: string): number {
  let hash = 0
  for (const c of id) hash = (hash * 31 + c.charCodeAt(0)) >>> 0
  return hash % 8
}

/** What a visitor without a name is called: the end of its id. */
export function shortId(id: string): string {
  return id.slice(-5)
}
