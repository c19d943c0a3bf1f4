// Getting attention: a soft tone, a desktop notice, the title and the favicon. Never for what one did oneself; of several
// tabs only one rings.

let audio: AudioContext | undefined
let lastTone = 0
let leads = !('locks' in navigator)
const perConversation = new Map<string, number>()

/** One tab of the browser rings and notifies: the holder of a lock that the next one gets when it closes. */
export function lead(name: string): void {
  if (!('locks' in navigator)) return
  void navigator.locks.request(`kefu.console.leader.${name}`, () => {
    leads = true
    return new Promise(() => undefined)
  })
}

export const leading = (): boolean => leads

/** The browser plays nothing before a first gesture. */
export function soundBlocked(): boolean {
  return navigator.userActivation !== undefined && !navigator.userActivation.hasBeenActive
}

/** One soft tone; at most one per 3 s overall and one per 15 s for a conversation. Answers whether it was played. */
export function tone(conversation: string, now = Date.now()): boolean {
  if (now - lastTone < 3_000) return false
  if (now - (perConversation.get(conversation) ?? 0) < 15_000) return false
  if (soundBlocked()) return false
  lastTone = now
  perConversation.set(conversation, now)
  play()
  return true
}

export function play(): void {
  audio ??= new AudioContext()
  const gain = audio.createGain()
  gain.gain.setValueAtTime(0.0001, audio.currentTime)
  gain.gain.exponentialRampToValueAtTime(0.12, audio.currentTime + 0.02)
  gain.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.45)
  gain.connect(audio.destination)
  for (const [pitch, at] of [[660, 0], [880, 0.09]] as const) {
    const voice = audio.createOscillator()
    voice.frequency.value = pitch
    voice.connect(gain)
    voice.start(audio.currentTime + at)
    voice.stop(audio.currentTime + 0.5)
  }
}

/** Shown only while the tab is hidden; a later one of the same conversation replaces it. */
export function notify(conversation: string, title: string, body: string, open: () => void): void {
  if (!document.hidden || typeof Notification === 'undefined') return
  if (Notification.permission !== 'granted') return
  const notice = new Notification(title, { body, tag: conversation })
  notice.onclick = () => {
    window.focus()
    open()
    notice.close()
  }
}

const BUBBLE = '<path fill="#2158D0" d="M4 2h16a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3h-8.2L6.5 22.3V18H4a3 3 0 0 1-3-3V5a3'
  + ' 3 0 0 1 3-3z"/><path fill="none" stroke="#fff" stroke-width="2.3" stroke-linecap="round"'
  + ' stroke-linejoin="round" d="M9 5.7v8.6M15.4 5.7 9.4 10.2l6 4.1"/>'
const DOT = '<circle cx="19" cy="5" r="4.6" fill="#C4271E" stroke="#fff" stroke-width="1.2"/>'

/** Title `(3) …` and a dot on the favicon while something is unread. */
export function badge(title: string, unread: number): void {
  document.title = unread > 0 ? `(${unread}) ${title}` : title
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]')
  if (!link) return
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${BUBBLE}${unread > 0 ? DOT : ''}</svg>`
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`
  if (link.href !== href) link.href = href
}
