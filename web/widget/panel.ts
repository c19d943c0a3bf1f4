// The panel: fetched when someone reaches for the launcher. Decides which face to show and keeps it up to date.

import type { Typing } from '../protocol/index'
import { Composer } from './composer'
import type { Context, Panel } from './context'
import { h, put } from './dom'
import { form, rating } from './forms'
import { icon } from './icons'
import { Log } from './log'
import css from './panel.css?inline'
import { Session } from './session'
import { pickLocale, speak } from './text'
import type { Key, Locale, Words } from './text'
import { fullScreen, followTheme } from './viewport'

const BANNER_MS = 2_000
const TYPING_MS = 6_000

class View implements Panel {
  private readonly session: Session
  private readonly panel: HTMLElement
  private readonly head = h('header')
  private readonly banner = h('div.banner', { role: 'status', hidden: true })
  private readonly body = h('div.body')
  private readonly menu = h('div.menu', { hidden: true, role: 'menu' })
  private readonly log: Log
  private readonly composer: Composer
  private shown = false
  private face = ''
  private messaging = false
  private answered: boolean
  private skipped: string | undefined
  private lostAt = 0
  private recoveredAt = 0
  private announced = 0
  private typing: { name: string; until: number } | undefined
  private queued = false
  private readonly values: Record<string, string>
  private readonly off: (() => void)[] = []

  constructor(private readonly context: Context, private words: Words) {
    const { root, config } = context
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]
    this.session = new Session(context, () => this.later())
    this.values = JSON.parse(this.session.recall('form') ?? '{}') as Record<string, string>
    if (context.options.name) this.values['name'] ??= context.options.name
    this.answered = config.fields.length === 0 || this.session.recall('answered') !== null
    this.log = new Log(this.words, {
      retry: (key) => this.session.client.retry(key),
      remove: (key, edit) => {
        const text = this.session.client.discard(key)
        if (edit && text) this.restore(text)
      },
    })
    this.composer = new Composer(this.words, {
      send: (text) => this.say(text),
      typing: (on) => {
        const { current, state } = this.session
        if (current && state === 'active') this.session.client.typing(current, on)
      },
      draft: (text) => this.session.remember('draft', text),
      limit: () => this.session.client.limits.text_bytes,
    })
    this.panel = h('section.panel', { role: 'dialog', tabIndex: -1, hidden: true },
      this.head, this.banner, this.body, this.menu)
    root.append(this.panel)
    this.composer.text = this.session.recall('draft') ?? ''
    this.listen()
    if (this.session.current) this.session.start()
    this.draw()
  }

  show(): void {
    if (this.shown) return
    this.shown = true
    this.panel.hidden = false
    this.session.start()
    this.draw()
    this.log.end()
    if (!matchMedia('(pointer: coarse)').matches) this.focus()
    this.panel.setAttribute('aria-modal', String(innerWidth < 480))
  }

  hide(): void {
    this.shown = false
    this.panel.hidden = true
    this.menu.hidden = true
    this.composer.flush()
    this.context.launcher.focus()
    this.draw()
  }

  compose(text: string): void {
    this.messaging = false
    if (text) this.composer.text = text
    this.draw()
    this.focus()
  }

  update(): void {
    followTheme(this.context)
    void speak(wishedLocale(this.context)).then((words) => {
      this.words = words
      this.log.speak(words)
      this.composer.speak(words)
      this.face = ''
      this.draw()
    })
  }

  destroy(): void {
    this.session.destroy()
    for (const off of this.off) off()
    this.panel.remove()
  }

  private focus(): void {
    const first = this.face === 'chat' ? undefined : this.body.querySelector<HTMLElement>('input,select,textarea')
    if (first) first.focus()
    else if (this.composer.element.isConnected) this.composer.focus()
    else this.panel.focus()
  }

  private listen(): void {
    const { client } = this.session
    const on = (target: EventTarget, type: string, act: () => void): void => {
      target.addEventListener(type, act, { passive: true })
      this.off.push(() => target.removeEventListener(type, act))
    }
    on(window, 'pagehide', () => {
      this.composer.flush()
      this.session.pause()
    })
    on(window, 'pageshow', () => { if (this.shown || this.session.current) this.session.start() })
    on(window, 'online', () => client.hurry())
    on(window, 'offline', () => this.later())
    on(window, 'focus', () => this.later())
    on(document, 'visibilitychange', () => {
      if (document.visibilityState === 'visible') client.hurry()
      this.later()
    })
    this.context.host.addEventListener('restore', (event) => {
      this.restore(String((event as CustomEvent).detail))
    })
    this.panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing) return
      if (this.menu.hidden) this.context.toggle(false)
      else this.menu.hidden = true
    })
    client.on('typing', (frame) => this.heardTyping(frame))
    client.on('event', (event) => {
      if (event.from.kind === 'agent') this.typing = undefined
      if (event.type === 'message') this.context.emit('message', { text: event.text, at: event.at })
    })
    client.on('opened', ({ conversation }) => this.context.emit('conversation', conversation))
    client.on('state', (state) => {
      if (state === 'open' && this.lostAt > 0 && Date.now() - this.lostAt > BANNER_MS) this.recoveredAt = Date.now()
      this.lostAt = state === 'open' || state === 'idle' ? 0 : this.lostAt || Date.now()
    })
    const clock = setInterval(() => { if (this.shown) this.draw() }, 1_000)
    this.off.push(() => clearInterval(clock), fullScreen(this.panel), followTheme(this.context))
  }

  private heardTyping({ conversation, from, on }: Typing): void {
    if (conversation !== this.session.current || from.kind !== 'agent') return
    const name = this.session.summary?.agent_name ?? this.words.t('agent')
    this.typing = on ? { name, until: Date.now() + TYPING_MS } : undefined
    this.later()
  }

  private restore(text: string): void {
    this.composer.text = this.composer.text ? `${text}\n${this.composer.text}` : text
    this.composer.focus()
  }

  private later(): void {
    if (this.queued) return
    this.queued = true
    queueMicrotask(() => {
      this.queued = false
      this.draw()
    })
  }

  private say(text: string): void {
    if (this.session.state === 'closed') this.session.fresh()
    this.session.say(text, this.known(), this.words.locale)
    this.log.end()
  }

  /** Answers to the site's questions, as far as they are given. */
  private known(): Record<string, string> {
    const names = new Set(['name', ...this.context.config.fields.map((field) => field.name)])
    return Object.fromEntries(Object.entries(this.values)
      .filter(([name, value]) => names.has(name) && value.trim() !== ''))
  }

  // — drawing —

  private draw(): void {
    const { session, context } = this
    const { state } = session
    const away = !context.config.online && state === 'new'
    const face = session.offline ? 'kept'
      : this.messaging || away ? 'message'
        : state === 'new' && !this.answered ? 'form' : 'chat'
    this.drawHead()
    this.drawBanner()
    const mark = `${face} ${session.offline ?? ''} ${this.words.locale}`
    if (mark !== this.face) {
      this.face = mark
      this.drawFace(face)
    }
    this.face = mark
    if (face === 'chat') this.drawChat()
    this.drawUnread()
  }

  private drawHead(): void {
    const { words, context: { config } } = this
    const talking = this.session.state === 'active'
    const name = talking ? this.session.summary?.agent_name ?? config.site.name : config.site.name
    const online = config.online || talking
    const mark = `${name} ${online} ${words.locale}`
    if (this.head.dataset['mark'] === mark) return
    this.head.dataset['mark'] = mark
    this.panel.setAttribute('aria-label', config.site.name)
    const more = h('button.icon', {
      type: 'button', 'aria-label': words.t('more'), 'aria-haspopup': 'menu', onclick: () => this.openMenu(),
    }, icon('more'))
    put(this.head,
      h('span.avatar.big', { 'aria-hidden': 'true' }, [...name][0]?.toUpperCase() ?? ''),
      h('div.names', {}, h('h2', {}, name),
        h('p', {}, h(`span.dot${online ? '.on' : ''}`), words.t(online ? 'online' : 'offline'))),
      more,
      h('button.icon', {
        type: 'button', 'aria-label': words.t('close'), onclick: () => this.context.toggle(false),
      }, icon('close')))
  }

  private openMenu(): void {
    const { words, session, menu } = this
    if (!menu.hidden) {
      menu.hidden = true
      return
    }
    const carrier = `carrier_${session.client.carrier ?? 'none'}` as Key
    const item = (text: string, act: () => void): HTMLElement => h('button', {
      type: 'button', role: 'menuitem', onclick: () => {
        menu.hidden = true
        act()
      },
    }, text)
    put(menu,
      item(words.t('menu_lang'), () => {
        session.remember('locale', words.locale === 'en' ? 'zh-CN' : 'en')
        this.update()
      }),
      session.state === 'active' && item(words.t('menu_end'), () => session.leave()),
      h('p', {}, words.t('menu_link', { kind: words.t(carrier) })))
    menu.hidden = false
    menu.querySelector('button')?.focus()
  }

  private drawBanner(): void {
    const { words, banner } = this
    const now = Date.now()
    const lost = this.lostAt > 0 && now - this.lostAt > BANNER_MS
    const key: Key | undefined = this.session.client.state === 'stopped' ? undefined
      : !navigator.onLine ? 'no_network'
      : lost ? 'reconnecting'
        : this.session.unavailable ? 'unavailable'
          : now - this.recoveredAt < 2_000 ? 'connected' : undefined
    banner.hidden = key === undefined
    banner.classList.toggle('good', key === 'connected')
    const text = key ? words.t(key) : ''
    if (banner.textContent === text) return
    put(banner, key && icon(key === 'connected' ? 'check' : 'sync', 16), text)
  }

  private drawFace(face: string): void {
    const { words, context: { config }, body, session } = this
    if (face === 'chat') {
      body.replaceChildren(this.log.element, this.composer.element)
      return
    }
    if (face === 'kept') {
      put(body, this.receipt())
      return
    }
    const message = face === 'message'
    if (message && this.composer.text) this.values['_text'] ??= this.composer.text
    put(body, form({
      words, fields: config.fields, message, values: this.values,
      intro: words.t(message ? 'message_intro' : 'form_intro'),
      submit: message ? 'message_send' : 'start',
      onchange: (values) => session.remember('form', JSON.stringify(values)),
      onsubmit: () => (message ? this.sendMessage() : this.startChat()),
      ...(message && config.online ? {
        onback: () => {
          this.messaging = false
          this.draw()
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
    const contact = this.values['_contact']?.trim()
    const text = [this.values['_text']?.trim() ?? '', contact].filter(Boolean).join('\n\n')
    this.messaging = false
    delete this.values['_text']
    this.session.remember('form', JSON.stringify(this.values))
    this.composer.text = ''
    this.session.start()
    this.session.leaveMessage(text, this.known(), this.words.locale)
  }

  private receipt(): HTMLElement {
    const { words, session } = this
    const kept = session.offline === 'kept'
    return h('div.form.done', { role: 'status' },
      h(`div.mark${kept ? '' : '.wait'}`, {}, icon(kept ? 'check' : 'clock', 28)),
      h('p.title', {}, words.t(kept ? 'message_done' : 'message_sending')),
      kept && h('p.intro', {}, words.t('message_ref', { id: `#${session.current?.slice(-6) ?? ''}` })),
      kept && h('button.quiet', { type: 'button', onclick: () => session.fresh() }, words.t('new')))
  }

  private drawChat(): void {
    const { session, words, context: { config } } = this
    const greeting = words.label(config.greeting) || words.t('hello')
    this.log.draw(session, greeting, Date.now() + session.client.skew)
    const looking = this.shown && document.visibilityState === 'visible' && document.hasFocus()
    if (looking) session.read()
    else if (session.current) session.client.seen(session.current, false)
    const { state } = session
    const stopped = session.client.state === 'stopped'
    this.composer.element.hidden = state === 'closed' || stopped
    if (this.typing && Date.now() > this.typing.until) this.typing = undefined
    if (stopped) {
      this.log.foot('stopped', h('p.line', {}, words.t('stopped_unauthorized')))
    } else if (state === 'waiting') this.drawQueue()
    else if (state === 'closed') this.drawClosed()
    else if (this.typing) {
      const text = words.t('typing', { name: this.typing.name })
      this.log.foot('typing', h('div.dots', { role: 'status', 'aria-label': text }, h('i'), h('i'), h('i')))
    } else this.log.foot('')
  }

  private drawQueue(): void {
    const { words, session } = this
    const position = session.client.positions.get(session.current!)
    const place = position === undefined ? words.t('queue_in')
      : position.ahead === 0 ? words.t('queue_next') : words.t('queue_n', { n: position.ahead + 1 })
    const wait = position?.wait_ms
    const minutes = wait === undefined ? ''
      : wait < 60_000 ? words.t('queue_soon') : words.t('queue_min', { n: Math.round(wait / 60_000) })
    this.log.foot(`queue ${place} ${minutes}`, h('section.card', { role: 'status' },
      h('p.title', {}, icon('people'), h('span', {}, place, minutes && ` · ${minutes}`)),
      h('p.intro', {}, words.t('queue_help')),
      h('div.actions', {},
        h('button.secondary', { type: 'button', onclick: () => {
          this.messaging = true
          this.draw()
        } }, words.t('leave_message')),
        h('button.quiet', { type: 'button', onclick: () => session.leave() }, words.t('leave_queue')))))
  }

  private drawClosed(): void {
    const { words, session } = this
    const rated = session.client.thread(session.current!).rows.some((row) => row.body.type === 'rated')
      || session.summary?.rating != null
    const talked = session.client.thread(session.current!).rows.some((row) => row.body.type === 'assigned')
    const skipped = this.skipped === session.current || !talked
    const id = session.current!
    this.log.foot(`closed ${id} ${rated} ${skipped} ${words.locale}`,
      rated && h('p.line', {}, words.t('rate_thanks')),
      !rated && !skipped && rating(words, (score, comment) => {
        session.client.rate(id, score, comment)
        this.skipped = id
        this.draw()
      }, () => {
        this.skipped = id
        this.draw()
      }),
      h('button.secondary.wide', { type: 'button', onclick: () => {
        session.fresh()
        this.focus()
      } }, words.t('new')))
  }

  private drawUnread(): void {
    const { session, context } = this
    const thread = session.current ? session.client.thread(session.current) : undefined
    const unread = this.shown || !thread ? 0 : thread.unread((from) => from.kind === 'visitor')
    const last = thread?.rows.findLast((row) => row.body.type === 'message' && row.from.kind === 'agent')
    const text = last?.body.type === 'message' ? last.body.text.slice(0, 120) : undefined
    if (unread === this.announced) return
    this.announced = unread
    context.unread(unread, text)
  }
}

function wishedLocale({ options }: Context): Locale {
  let chosen: string | null = null
  try { chosen = localStorage.getItem(`kefu:${options.site}:locale`) } catch { /* storage is off */ }
  return pickLocale(chosen, options.locale, ...navigator.languages)
}

export async function create(context: Context): Promise<Panel> {
  return new View(context, await speak(wishedLocale(context)))
}
