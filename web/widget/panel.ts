// The panel: fetched when someone reaches for the launcher. Decides which face to show and keeps it up to date.

import type { Typing } from '../protocol/frames'
import { editWith } from './bubble'
import {
  adoptText, beginComposer, composer, flush, focusComposer, restore, setText, speakComposer, text, touch,
  uploadFiles,
} from './composer'
import type { Context, Locale, Panel, Words } from './context'
import { h, put } from './dom'
import { drawClosed, drawQueue, header, receipt } from './faces'
import { form } from './forms'
import { context, enter } from './here'
import { CHECK, icon, SYNC } from './icons'
import { clearLog, drawLog, drawTail, log, markNew, toEnd, toNew } from './log'
import { menu, openMenu } from './menu'
import css from './panel.css?inline'
import {
  begin, client, current, end, ended, fresh, identify, leaveMessage, offline, read, say, state, summary, thread, unavailable,
} from './session'
import { armSound, tone } from './sound'
import { fill, speak, t } from './text'

const BANNER_MS = 2_000
const TYPING_MS = 6_000
const DRAW_MS = 20
/** Another tab may be showing a message: its read mark comes first then. */
const TONE_MS = 400

const head = h('header')
const banner = h('div.banner', { role: 'status', hidden: true })
const middle = h('div.body')
const panel = h('section.panel', { role: 'dialog', tabIndex: -1, hidden: true, onkeydown: pressed },
  head, banner, middle, menu)
const system = matchMedia('(prefers-color-scheme: dark)')
const port = window.visualViewport!
const started = Date.now()
/** Ends every listener of ours when the panel leaves the page. */
const leaving = new AbortController()
const answers: Record<string, string> = {}

let shown = false
let face = ''
let headMark = ''
let messaging = false
let lostAt = 0
let recoveredAt = 0
let announced = 0
let typist: { name: string; until: number } | undefined
let queued: ReturnType<typeof setTimeout> | undefined
let watcher: { destroy(): void; onclose?: () => void } | undefined

export default function create(from: Context, language: Locale, words: Words): Panel {
  enter(from)
  const { root, options, recall } = context
  context.dress(css)
  speak(language, words)
  Object.assign(answers, recall('form'), options.attributes)
  begin({
    changed: later,
    restore: (back, why) => restore(back, why),
    // Another tab's draft, and whether it is open or closed there.
    shared: (name) => {
      if (name === 'draft') adoptText()
      if (name === 'shown') context.toggle(!!recall(name), false)
    },
  })
  editWith(restore)
  beginComposer((said) => {
    say(said, known())
    toEnd()
  })
  root.append(panel)
  listen()
  followTheme()
  fullScreen()
  if (current) client.start()
  draw()
  return { show, hide, compose, update, destroy }
}

function show(focused: boolean): void {
  shown = true
  panel.hidden = false
  client.start()
  remember('1')
  const it = thread()
  markNew(it?.rows.find(({ body, from, seq = 0 }) =>
    body.type === 'message' && from.kind === 'agent' && seq > it.seen)?.seq)
  draw()
  toNew()
  if (focused && !touch) focus()
  const { CloseWatcher } = window as { CloseWatcher?: new () => NonNullable<typeof watcher> }
  if (CloseWatcher && innerWidth < 480) {
    watcher = new CloseWatcher()
    watcher.onclose = () => context.toggle(false)
  }
}

function hide(): void {
  watcher?.destroy()
  const inside = context.root.activeElement
  shown = false
  panel.hidden = menu.hidden = true
  markNew()
  flush()
  remember()
  if (inside) context.launcher.focus()
  draw()
}

function compose(words: string): void {
  messaging = false
  if (words) setText(words)
  draw()
  focus()
}

async function update(): Promise<void> {
  const wish = context.locale()
  followTheme()
  Object.assign(answers, context.options.attributes)
  identify()
  speak(wish, await context.words(wish))
  clearLog()
  speakComposer()
  face = headMark = ''
  draw()
}

function destroy(clear: boolean): void {
  flush()
  leaving.abort()
  clearTimeout(queued)
  end(clear)
  panel.remove()
}

/** For the other tabs, and for the next page in this one. */
function remember(value?: string): void {
  context.remember('shown', value)
  context.remember('shown', value, true)
}

function focus(): void {
  const first = middle.querySelector<HTMLElement>('form :is(input,select,textarea)')
  if (first) first.focus()
  else if (composer.isConnected && !composer.hidden) focusComposer()
  else panel.focus()
}

function pressed(event: KeyboardEvent): void {
  if (event.key !== 'Escape' || event.isComposing) return
  // Else it would also count as "back" and close the panel under the menu.
  event.preventDefault()
  if (menu.hidden) context.toggle(false)
  else more()
}

function more(): void {
  if (!openMenu(update)) focus()
}

function leave(): void {
  messaging = true
  draw()
  focus()
}

function again(): void {
  fresh()
  draw()
  focus()
}

function followTheme(): void {
  const { options: { theme = 'auto' }, host } = context
  host.dataset['theme'] = theme === 'auto' ? (system.matches ? 'dark' : 'light') : theme
}

/** On a phone the panel is the visible part of the screen, keyboard or not. */
function fullScreen(): void {
  const small = innerWidth < 480
  const { style } = panel
  style.top = small ? `${port.offsetTop}px` : ''
  style.height = small ? `${port.height}px` : ''
  panel.ariaModal = `${small}`
}

function listen(): void {
  const { signal } = leaving
  const on = (target: EventTarget, types: string, act: () => void): void => {
    for (const type of types.split(' ')) target.addEventListener(type, act, { passive: true, capture: true, signal })
  }
  on(window, 'pagehide', () => {
    flush()
    client.stop()
  })
  on(window, 'pageshow', () => { if (shown || current) client.start() })
  on(window, 'online', () => client.hurry())
  on(window, 'offline focus', later)
  on(document, 'visibilitychange', () => {
    if (!document.hidden) client.hurry()
    later()
  })
  on(window, 'pointerdown keydown', armSound)
  on(system, 'change', followTheme)
  on(port, 'resize scroll', () => requestAnimationFrame(fullScreen))
  client.on('typing', heardTyping)
  client.on('event', (event) => {
    if (event.from.kind !== 'agent') return
    typist = undefined
    // What came before this page is history, not news.
    if (event.type !== 'message' || event.at < started + client.skew) return
    context.emit('message', { text: event.text, at: event.at })
    if (client.leads && !context.recall('mute')) setTimeout(() => {
      if (client.thread(event.conversation).seen < event.seq) tone()
    }, TONE_MS)
  })
  client.on('state', (now) => {
    const up = now === 'open'
    if (up && isLost()) recoveredAt = Date.now()
    lostAt = up || now === 'idle' ? 0 : lostAt || Date.now()
  })
  const clock = setInterval(() => { if (shown) draw() }, 1_000)
  signal.onabort = () => clearInterval(clock)
}

function isLost(): boolean {
  return lostAt > 0 && Date.now() - lostAt > BANNER_MS
}

function heardTyping({ conversation, from, on }: Typing): void {
  if (conversation !== current || from.kind !== 'agent') return
  typist = on ? { name: summary()?.agent_name ?? t.agent, until: Date.now() + TYPING_MS } : undefined
  later()
}

function later(): void {
  queued ??= setTimeout(draw, DRAW_MS)
}

/** Answers to the site's questions, as far as they are given. */
function known(): Record<string, string> {
  const names = ['name', ...context.config.fields.map(({ name }) => name)]
  return Object.fromEntries(names.flatMap((name) => (answers[name]?.trim() ? [[name, answers[name]]] : [])))
}

// — drawing —

function draw(): void {
  clearTimeout(queued)
  queued = undefined
  // Nothing may be remembered after a sign-out.
  if (leaving.signal.aborted) return
  const { config, recall } = context
  const isNew = state() === 'new'
  const next = offline ?? (messaging || (isNew && !config.online) ? 'message'
    : isNew && config.fields.length > 0 && !recall('answered') ? 'form' : 'chat')
  drawHead()
  drawBanner()
  if (next !== face) drawFace(face = next)
  if (face === 'chat') drawChat()
  drawUnread()
  uploadFiles()
}

function drawHead(): void {
  const { config: { site, online }, toggle } = context
  const talking = state() === 'active'
  const name = (talking && summary()?.agent_name) || site.name
  const mark = `${name} ${online || talking}`
  if (headMark === mark) return
  headMark = mark
  panel.ariaLabel = site.name
  put(head, ...header(name, online || talking, more, () => toggle(false)))
}

function drawBanner(): void {
  const good = Date.now() - recoveredAt < BANNER_MS
  const words = client.state === 'stopped' ? ''
    : !navigator.onLine ? t.no_network
      : isLost() ? t.reconnecting
        : unavailable ? t.unavailable : good ? t.connected : ''
  const connected = words === t.connected
  banner.hidden = !words
  banner.classList.toggle('good', connected)
  if (banner.textContent !== words) put(banner, words && icon(connected ? CHECK : SYNC, 16), words)
}

function drawFace(next: string): void {
  const { config: { fields, online }, remember: keep } = context
  if (next === 'chat') return put(middle, log, composer)
  if (offline) return put(middle, receipt())
  const message = next === 'message'
  if (message && text()) answers['_text'] ??= text()
  put(middle, form({
    fields, message, values: answers,
    intro: message ? t.message_intro : t.form_intro,
    submit: message ? t.message_send : t.start,
    onchange: () => keep('form', answers),
    onsubmit: message ? sendMessage : () => {
      keep('answered', '1')
      compose('')
    },
    onback: message && online && (() => compose('')),
  }))
}

function sendMessage(): void {
  const words = [answers['_text'], answers['_contact']].map((part) => part?.trim()).filter(Boolean).join('\n\n')
  messaging = false
  delete answers['_text']
  context.remember('form', answers)
  setText('')
  client.start()
  leaveMessage(words, known())
}

function drawChat(): void {
  const now = state()
  drawLog()
  if (current) {
    if (shown && !document.hidden && document.hasFocus()) read()
    else client.seen(current, false)
  }
  const stopped = client.state === 'stopped'
  composer.hidden = now === 'closed' || stopped
  if (typist && Date.now() > typist.until) typist = undefined
  if (stopped) drawTail(now, h('p.line', { role: 'alert' }, ended === 'protocol' ? t.reload : t.stopped))
  else if (now === 'waiting') drawQueue(leave)
  else if (now === 'closed') drawClosed(again)
  else if (typist) {
    drawTail('typing', h('div.dots', { role: 'status', ariaLabel: fill(t.typing, typist.name) }, h('i'), h('i'), h('i')))
  } else drawTail('')
}

function drawUnread(): void {
  const it = thread()
  const unread = (!shown && it?.unread((from) => from.kind === 'visitor')) || 0
  if (unread === announced) return
  announced = unread
  const last = it?.rows.findLast(({ body, from }) => body.type === 'message' && from.kind === 'agent')?.body
  context.unread(unread, last?.type === 'message' ? (last.text || last.file?.name)?.slice(0, 120) : '')
}
