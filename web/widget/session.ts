// One visitor on one site: the token, the client, the conversation that is shown, and what is remembered over a reload.
// What is remembered is shared with the visitor's other tabs through the store's own events.

import { Client } from '../protocol/client'
import type { ByeCode, Summary } from '../protocol/frames'
import { LOCAL } from '../protocol/outbox'
import type { Store } from '../protocol/outbox'
import type { Thread } from '../protocol/thread'
import type { Context } from './context'

/** A closed conversation is offered for rating this long. */
const RECENT_MS = 24 * 3_600_000

type Token = { token: string; expires_at: number }

export class Session {
  readonly client: Client
  /** Id of the conversation on screen, `local:…` while it is being opened, nothing before. */
  current: string | undefined
  /** Opened as a message for later: the receipt is shown, not a thread. */
  offline: 'sending' | 'kept' | undefined
  /** New conversations are refused for now. */
  unavailable = false
  /** Why the server will not have us. */
  ended: ByeCode | undefined
  private token: Token | undefined
  private readonly prefix: string
  private started = false
  private renewed = false
  private readonly sync = (event: StorageEvent): void => this.synced(event)

  constructor(
    private readonly context: Context,
    private readonly changed: () => void,
    private readonly restore: (text: string, why?: string) => void,
    private readonly shared: (name: string, value: string | null) => void,
  ) {
    const { site } = context.options
    this.prefix = `kefu:${site}:`
    this.token = parse(this.recall('token'))
    this.current = this.recall('conversation') ?? undefined
    const client = this.client = new Client({
      base: context.base,
      client: 'kefu-widget 0.1.0',
      token: () => this.authorize(),
      store: tabStore(),
      storeName: this.prefix + 'tab',
      share: `kefu:${site}`,
    })
    if (this.current?.startsWith(LOCAL)) {
      if (!client.outbox.find(this.current.slice(LOCAL.length))) this.current = undefined
    } else if (this.current) {
      client.thread(this.current).seen = Number(this.recall('seen') ?? 0)
      client.follow(this.current)
    }
    this.listen()
  }

  get summary(): Summary | undefined {
    return this.client.summaries.get(this.current ?? '')
  }

  get thread(): Thread | undefined {
    return this.client.threads.get(this.current ?? '')
  }

  get state(): 'new' | 'opening' | 'waiting' | 'active' | 'closed' {
    if (this.current === undefined) return 'new'
    if (this.local) return 'opening'
    return this.summary?.state ?? this.byEvents()
  }

  start(): void {
    if (this.started) return
    this.started = true
    this.client.start()
  }

  /** The page goes away or to sleep. */
  pause(): void {
    this.started = false
    this.client.stop()
  }

  /** Signs out, or (`clear` not set) only leaves the page. */
  destroy(clear: boolean): void {
    removeEventListener('storage', this.sync)
    if (clear) this.client.forget()
    this.client.stop(clear)
  }

  say(text: string, fields: Record<string, string>, language: string): void {
    if (this.state === 'new' || this.state === 'closed') {
      this.show(LOCAL + this.client.open({ fields, language, page: page() }))
    }
    this.client.send(this.current!, text)
    this.changed()
  }

  leaveMessage(text: string, fields: Record<string, string>, language: string): void {
    if (this.state === 'waiting') this.leave()
    this.offline = 'sending'
    this.show(LOCAL + this.client.open({ fields, text, language, offline: true, page: page() }))
  }

  leave(): void {
    if (this.current && !this.local) this.client.close(this.current)
  }

  fresh(): void {
    this.offline = undefined
    this.show(undefined)
  }

  recall(name: string): string | null {
    try { return localStorage.getItem(this.prefix + name) } catch { return null }
  }

  remember(name: string, value: string | undefined): void {
    try {
      if (!value) localStorage.removeItem(this.prefix + name)
      else localStorage.setItem(this.prefix + name, value)
    } catch { /* storage is off: nothing survives, everything works */ }
  }

  /** Marks what is on screen as read. */
  read(): void {
    const { thread } = this
    if (!thread || this.local || thread.seen >= thread.cursor) return
    this.client.seen(thread.conversation, true)
    this.remember('seen', String(thread.seen))
  }

  private get local(): boolean {
    return !!this.current?.startsWith(LOCAL)
  }

  private show(id: string | undefined): void {
    this.current = id
    this.remember('conversation', id)
    this.remember('seen', undefined)
    this.changed()
  }

  private listen(): void {
    const { client } = this
    client.on('opened', ({ key, conversation }) => {
      if (this.current !== LOCAL + key) return
      this.unavailable = false
      if (this.offline) this.offline = 'kept'
      this.show(conversation)
    })
    client.on('welcome', ({ conversations }) => {
      this.ended = undefined
      this.adopt(conversations)
    })
    client.on('error', ({ key, code, conversation, message }) => {
      if (key !== undefined && this.current === LOCAL + key) {
        this.unavailable = code === 'unavailable' || code === 'rate_limited'
        if (!client.outbox.find(key)) this.refusedToOpen()
      } else if (key && code === 'blocked') {
        const text = client.discard(key)
        if (text) this.restore(text, message)
      } else if (conversation && conversation === this.current && !key
        && (code === 'not_found' || code === 'forbidden')) this.fresh()
    })
    client.on('stopped', (code) => {
      this.ended = code
      if (code !== 'unauthorized' || this.renewed) return
      // The token is too old: the server gives a new one, once.
      this.token = undefined
      this.renewed = true
      if (client.leads) client.start()
    })
    for (const event of ['state', 'row', 'removed', 'conversation', 'position', 'seen', 'error',
      'stopped'] as const) client.on(event, this.changed)
    addEventListener('storage', this.sync)
  }

  // Another tab remembered something.
  private synced({ key, newValue }: StorageEvent): void {
    if (!key?.startsWith(this.prefix)) return
    const name = key.slice(this.prefix.length)
    if (name === 'token') this.token = parse(newValue)
    else if (name === 'conversation' && !newValue?.startsWith(LOCAL)) {
      this.current = newValue ?? undefined
      this.start()
    } else if (name === 'seen' && this.current) {
      const thread = this.client.thread(this.current)
      thread.seen = Math.max(thread.seen, Number(newValue))
    }
    this.shared(name, newValue)
    this.changed()
  }

  // The server knows which conversation is ours: another tab or device may have opened it.
  private adopt(list: Summary[]): void {
    if (this.local) return
    const open = list.filter((one) => one.state !== 'closed' && !one.offline)
    const newest = open.sort((a, b) => b.opened_at - a.opened_at)[0]
    const mine = list.find((one) => one.id === this.current)
    if (newest && newest.id !== this.current && (!mine || mine.state === 'closed')) {
      this.show(newest.id)
      this.client.follow(newest.id)
    } else if (mine?.state === 'closed' && !this.offline
      && Date.now() + this.client.skew - (mine.closed_at ?? 0) > RECENT_MS) this.show(undefined)
    else if (mine?.offline && mine.state === 'waiting') this.offline = 'kept'
    this.changed()
  }

  // What was typed goes back to the composer: nothing is lost because a conversation could not be opened.
  private refusedToOpen(): void {
    const texts = (this.thread?.rows ?? [])
      .map((row) => (row.key ? this.client.discard(row.key) : undefined))
      .filter(Boolean)
    this.fresh()
    if (texts.length > 0) this.restore(texts.join('\n'))
  }

  private byEvents(): 'opening' | 'waiting' | 'active' | 'closed' {
    for (const { body: { type } } of this.thread?.rows.slice().reverse() ?? []) {
      if (type === 'closed' || type === 'rated') return 'closed'
      if (type === 'assigned') return 'active'
      if (type === 'queued' || type === 'opened') return 'waiting'
    }
    return 'opening'
  }

  private async authorize(): Promise<string> {
    if (this.token && this.token.expires_at > Date.now() + 86_400_000) return this.token.token
    const { base, options: { site } } = this.context
    const answer = await fetch(new URL('/v1/visitors', base), {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ site, token: this.token?.token }),
      signal: AbortSignal.timeout(10_000),
    })
    if (!answer.ok) throw new Error(`visitors: ${answer.status}`)
    this.token = (await answer.json()) as Token
    this.remember('token', JSON.stringify(this.token))
    return this.token.token
  }
}

function page(): string {
  return (location.origin + location.pathname).slice(0, 500)
}

function parse(text: string | null): Token | undefined {
  try {
    const value = JSON.parse(text ?? '') as Partial<Token> | null
    return typeof value?.token === 'string' ? value as Token : undefined
  } catch {
    return undefined
  }
}

// Drafts belong to the tab that typed them, so that two tabs never overwrite each other's list.
function tabStore(): Store {
  const attempt = <T>(act: () => T): T | null => {
    try { return act() } catch { return null }
  }
  return {
    get: (name) => attempt(() => sessionStorage.getItem(name)),
    set: (name, value) => void attempt(() => sessionStorage.setItem(name, value)),
    remove: (name) => void attempt(() => sessionStorage.removeItem(name)),
  }
}
