// The panel: fetched when someone reaches for the launcher. Decides which face to show and keeps it up to date.

import type { Typing } from '../protocol/frames'
import { Composer } from './composer'
import type { Context, Panel } from './context'
import { h, put } from './dom'
import { drawClosed, drawQueue, header, receipt, selfTest, transcript } from './faces'
import type { FaceActions } from './faces'
import { form } from './forms'
import { icon } from './icons'
import { Log } from './log'
import css from './panel.css?inline'
import { Session } from './session'
import { armSound, tone } from './sound'
import { fill, locale, pickLocale, speak, t } from './text'
import type { Locale } from './text'
import { fullScreen, followTheme } from './viewport'

const BANNER_MS = 2_000
const TYPING_MS = 6_000
const DRAW_MS = 20
const GESTURES = ['pointerdown', 'keydown']

class View implements Panel {
  private readonly session: Session
  private readonly panel: HTMLElement
  private readonly head = h('header')
  private readonly banner = h('div.banner', { role: 'status', hidden: true })
  private readonly middle = h('div.body')
  private readonly menu = h('div.menu', { hidden: true })
  private readonly log: Log
  private readonly composer: Composer
  private readonly started = Date.now()
  private shown = false
  private gone = false
  private face = ''
  private messaging = false
  private answered: boolean
  private lostAt = 0
  private recoveredAt = 0
  private announced = 0
  private typist: { name: string; until: number } | undefined
  private queued: ReturnType<typeof setTimeout> | undefined
  private watcher: { destroy(): void } | undefined
  private readonly answers: Record<string, string>
  private readonly undo: (() => void)[] = []
  private readonly acts: FaceActions = {
    redraw: () => this.draw(),
    leaveMessage: () => {
      this.messaging = true
      this.draw()
      this.focus()
    },
    fresh: () => {
      this.session.fresh()
      this.draw()
      this.focus()
    },
  }

  constructor(private readonly context: Context) {
    const { root, config, options } = context
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]
    const session = this.session = new Session(context, () => this.later(),
      (text, why) => this.composer.restore(text, why && fill(t.failed_blocked, why)),
      (name, value) => this.shared(name, value))
    this.answers = JSON.parse(session.recall('form') ?? '{}') as Record<string, string>
    Object.assign(this.answers, options.attributes)
    this.answered = config.fields.length === 0 || session.recall('answered') !== null
    this.log = new Log({
      retry: (key) => session.client.retry(key),
      remove: (key, edit) => {
        const text = session.client.discard(key)
        if (edit && text) this.composer.restore(text)
      },
      redraw: () => this.drawChat(),
    })
    this.composer = new Composer({
      send: (text) => this.say(text),
      typing: (on) => {
        if (session.state === 'active') session.client.typing(session.current!, on)
      },
      draft: (text) => session.remember('draft', text),
      limit: () => session.client.limits.text_bytes,
    })
    this.panel = h('section.panel', { role: 'dialog', tabIndex: -1, hidden: true },
      this.head, this.banner, this.middle, this.menu)
    root.append(this.panel)
    this.composer.text = session.recall('draft') ?? ''
    this.listen()
    if (session.current) session.start()
    this.draw()
  }

  show(focus: boolean): void {
    if (this.shown) return
    const { session, log, panel } = this
    this.shown = true
    panel.hidden = false
    session.start()
    this.open('1')
    const { thread } = session
    log.newFrom = thread?.rows.find((row) =>
      row.body.type === 'message' && row.from.kind === 'agent' && (row.seq ?? 0) > thread.seen)?.seq ?? 0
    this.draw()
    log.toNew()
    if (focus && !matchMedia('(pointer: coarse)').matches) this.focus()
    const Watcher = (window as { CloseWatcher?: new () => { destroy(): void; onclose: () => void } }).CloseWatcher
    if (Watcher && innerWidth < 480) {
      const watcher = this.watcher = new Watcher()
      watcher.onclose = () => this.context.toggle(false)
    }
  }

  hide(): void {
    this.watcher?.destroy()
    const inside = this.context.root.activeElement !== null
    this.shown = false
    this.panel.hidden = true
    this.menu.hidden = true
    this.log.newFrom = 0
    this.composer.flush()
    this.open(undefined)
    if (inside) this.context.launcher.focus()
    this.draw()
  }

  compose(text: string): void {
    this.messaging = false
    if (text) this.composer.text = text
    this.draw()
    this.focus()
  }

  update(): void {
    const { options } = this.context
    followTheme(this.context)()
    Object.assign(this.answers, options.attributes)
    speak(wishedLocale(this.context))
    this.log.clear()
    this.composer.speak()
    this.face = ''
    this.draw()
  }

  destroy(clear: boolean): void {
    this.gone = true
    this.composer.flush()
    this.session.destroy(clear)
    for (const undo of this.undo) undo()
    this.panel.remove()
  }

  // For the other tabs, and for the next page in this one.
  private open(value: string | undefined): void {
    this.session.remember('shown', value)
    try {
      sessionStorage.setItem(`kefu:${this.context.options.site}:shown`, value ?? '')
    } catch { /* storage is off */ }
  }

  private focus(): void {
    const first = this.middle.querySelector<HTMLElement>('form :is(input,select,textarea)')
    if (first) first.focus()
    else if (this.composer.element.isConnected && !this.composer.element.hidden) this.composer.focus()
    else this.panel.focus()
  }

  private listen(): void {
    const { session, context, composer, undo } = this
    const { client } = session
    const on = (target: EventTarget, type: string, act: () => void): void => {
      target.addEventListener(type, act, { passive: true, capture: true })
      undo.push(() => target.removeEventListener(type, act, true))
    }
    on(window, 'pagehide', () => {
      composer.flush()
      session.pause()
    })
    on(window, 'pageshow', () => { if (this.shown || session.current) session.start() })
    on(window, 'online', () => client.hurry())
    on(window, 'offline', () => this.later())
    on(window, 'focus', () => this.later())
    on(document, 'visibilitychange', () => {
      if (!document.hidden) client.hurry()
      this.later()
    })
    for (const gesture of GESTURES) on(window, gesture, armSound)
    this.panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing) return
      // Else it would also count as "back" and close the panel under the menu.
      event.preventDefault()
      if (this.menu.hidden) context.toggle(false)
      else this.openMenu()
    })
    client.on('typing', (frame) => this.heardTyping(frame))
    client.on('event', (event) => {
      if (event.from.kind !== 'agent') return
      this.typist = undefined
      // What came before this page is history, not news.
      if (event.type !== 'message' || event.at < this.started + client.skew) return
      context.emit('message', { text: event.text, at: event.at })
      // Another tab may be showing it: its read mark comes first then.
      if (client.leads && !session.recall('mute')) setTimeout(() => {
        if (client.thread(event.conversation).seen < event.seq) tone()
      }, 400)
    })
    client.on('opened', ({ conversation }) => context.emit('conversation', conversation))
    client.on('stopped', (code) => context.emit('error', new Error(code)))
    client.on('state', (state) => {
      const now = Date.now()
      if (state === 'open' && this.lostAt > 0 && now - this.lostAt > BANNER_MS) this.recoveredAt = now
      this.lostAt = state === 'open' || state === 'idle' ? 0 : this.lostAt || now
    })
    const clock = setInterval(() => { if (this.shown) this.draw() }, 1_000)
    undo.push(() => clearInterval(clock), fullScreen(this.panel), followTheme(context))
  }

  // Another tab's draft, and whether it is open or closed there.
  private shared(name: string, value: string | null): void {
    if (name === 'draft') this.composer.adopt(value ?? '')
    if (name === 'shown') this.context.toggle(value !== null, false)
    if (name === 'answered') this.answered = value !== null
  }

  private heardTyping({ conversation, from, on }: Typing): void {
    if (conversation !== this.session.current || from.kind !== 'agent') return
    const name = this.session.summary?.agent_name ?? t.agent
    this.typist = on ? { name, until: Date.now() + TYPING_MS } : undefined
    this.later()
  }

  private later(): void {
    this.queued ??= setTimeout(() => this.draw(), DRAW_MS)
  }

  private say(text: string): void {
    const { session, log } = this
    if (session.state === 'closed') session.fresh()
    session.say(text, this.known(), locale)
    log.toEnd()
  }

  /** Answers to the site's questions, as far as they are given. */
  private known(): Record<string, string> {
    const names = ['name', ...this.context.config.fields.map((field) => field.name)]
    return Object.fromEntries(Object.entries(this.answers)
      .filter(([name, value]) => names.includes(name) && value.trim() !== ''))
  }

  // — drawing —

  private draw(): void {
    clearTimeout(this.queued)
    this.queued = undefined
    // Nothing may be remembered after a sign-out.
    if (this.gone) return
    const { session, context: { config } } = this
    const { state, offline } = session
    const away = !config.online && state === 'new'
    const face = offline ? `kept ${offline}`
      : this.messaging || away ? 'message'
        : state === 'new' && !this.answered ? 'form' : 'chat'
    this.drawHead()
    this.drawBanner()
    if (face + locale !== this.face) {
      this.face = face + locale
      this.drawFace(face)
    }
    if (face === 'chat') this.drawChat()
    this.drawUnread()
  }

  private drawHead(): void {
    const { head, session, context: { config, toggle } } = this
    const talking = session.state === 'active'
    const site = config.site.name
    const name = (talking && session.summary?.agent_name) || site
    const online = config.online || talking
    const mark = `${name} ${online} ${locale}`
    if (head.dataset['mark'] === mark) return
    head.dataset['mark'] = mark
    this.panel.setAttribute('aria-label', site)
    put(head, ...header(name, site, online, () => this.openMenu(), () => toggle(false)))
  }

  private openMenu(): void {
    const { session, menu, context: { base, options } } = this
    menu.hidden = !menu.hidden
    if (menu.hidden) return this.focus()
    const item = (text: string, act: () => void): HTMLElement => h('button', {
      role: 'menuitem', onclick: () => {
        menu.hidden = true
        act()
      },
    }, text)
    const mute = session.recall('mute')
    const test = h('p', { role: 'status' })
    put(menu, h('div', { role: 'menu' },
      item(mute ? t.sound_on : t.sound_off, () => session.remember('mute', mute ? undefined : '1')),
      item(t.menu_lang, () => {
        session.remember('locale', locale === 'en' ? 'zh-CN' : 'en')
        this.update()
      }),
      session.summary && item(t.transcript, () => transcript(session)),
      session.state === 'active' && item(t.menu_end, () => session.leave()),
      h('button', {
        role: 'menuitem', onclick: () =>
          void selfTest(test, session, new URL(`/v1/sites/${encodeURIComponent(options.site)}/widget`, base)),
      }, t.link_test)), test)
    menu.querySelector('button')!.focus()
  }

  private drawBanner(): void {
    const { banner, session } = this
    const now = Date.now()
    const lost = this.lostAt > 0 && now - this.lostAt > BANNER_MS
    const good = now - this.recoveredAt < BANNER_MS
    const text = session.client.state === 'stopped' ? ''
      : !navigator.onLine ? t.no_network
        : lost ? t.reconnecting
          : session.unavailable ? t.unavailable : good ? t.connected : ''
    banner.hidden = !text
    banner.classList.toggle('good', text === t.connected)
    if (banner.textContent !== text) put(banner, text && icon(text === t.connected ? 'check' : 'sync', 16), text)
  }

  private drawFace(face: string): void {
    const { context: { config }, middle, session, answers } = this
    if (face === 'chat') return middle.replaceChildren(this.log.element, this.composer.element)
    if (face.startsWith('kept')) return put(middle, receipt(session))
    const message = face === 'message'
    if (message && this.composer.text) answers['_text'] ??= this.composer.text
    put(middle, form({
      fields: config.fields, message, values: answers,
      intro: message ? t.message_intro : t.form_intro,
      submit: message ? t.message_send : t.start,
      onchange: () => session.remember('form', JSON.stringify(answers)),
      onsubmit: () => (message ? this.sendMessage() : this.startChat()),
      ...(message && config.online ? {
        onback: () => {
          this.messaging = false
          this.draw()
          this.focus()
        },
      } : {}),
    }))
  }

  private startChat(): void {
    this.answered = true
    this.session.remember('answered', '1')
    this.draw()
    this.focus()
  }

  private sendMessage(): void {
    const { answers, session } = this
    const text = [answers['_text'], answers['_contact']].map((part) => part?.trim()).filter(Boolean).join('\n\n')
    this.messaging = false
    delete answers['_text']
    session.remember('form', JSON.stringify(answers))
    this.composer.text = ''
    session.start()
    session.leaveMessage(text, this.known(), locale)
  }

  private drawChat(): void {
    const { session, log, composer, context: { config } } = this
    const { state, client, ended } = session
    log.draw(session, config.greeting, Date.now() + client.skew)
    if (session.current) {
      if (this.shown && !document.hidden && document.hasFocus()) session.read()
      else client.seen(session.current, false)
    }
    const stopped = client.state === 'stopped'
    composer.element.hidden = state === 'closed' || stopped
    if (this.typist && Date.now() > this.typist.until) this.typist = undefined
    if (stopped) {
      log.foot(`stopped ${locale}`, h('p.line', { role: 'alert' }, ended === 'protocol' ? t.reload : t.stopped))
    } else if (state === 'waiting') drawQueue(log, session, this.acts)
    else if (state === 'closed') drawClosed(log, session, this.acts)
    else if (this.typist) {
      log.foot('typing', h('div.dots', { role: 'status', 'aria-label': fill(t.typing, this.typist.name) },
        h('i'), h('i'), h('i')))
    } else log.foot('')
  }

  private drawUnread(): void {
    const { session, context } = this
    const { thread } = session
    const unread = (!this.shown && thread?.unread((from) => from.kind === 'visitor')) || 0
    if (unread === this.announced) return
    this.announced = unread
    const last = thread?.rows.findLast((row) => row.body.type === 'message' && row.from.kind === 'agent')
    context.unread(unread, last?.body.type === 'message' ? last.body.text.slice(0, 120) : '')
  }
}

function wishedLocale({ options }: Context): Locale {
  let chosen: string | null = null
  try { chosen = localStorage.getItem(`kefu:${options.site}:locale`) } catch { /* storage is off */ }
  return pickLocale(chosen, options.locale, ...navigator.languages)
}

export function create(context: Context): Panel {
  speak(wishedLocale(context))
  return new View(context)
}
