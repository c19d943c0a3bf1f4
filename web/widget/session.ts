// One visitor on one site: the token, the client, the conversation that is shown, and what is remembered over a reload.

import { Client, LOCAL } from '../protocol/index'
import type { Store, Summary } from '../protocol/index'
import type { Context } from './context'

/** A closed conversation is offered for rating this long. */
const RECENT_MS = 24 * 3_600_000

export class Session {
  readonly client: Client
  /** Id of the conversation on screen, `local:…` while it is being opened, nothing before. */
  current: string | undefined
  /** Opened as a message for later: the receipt is shown, not a thread. */
  offline: 'sending' | 'kept' | undefined
  /** New conversations are refused for now. */
  unavailable = false
  private token: { token: string; expires_at: number } | undefined
  private readonly prefix: string
  private started = false

  constructor(private readonly context: Context, private readonly changed: () => void) {
    this.prefix = `kefu:${context.options.site}:`
    this.token = parse(this.recall('token'))
    this.current = this.recall('conversation') ?? undefined
    this.client = new Client({
      base: context.base,
      client: 'kefu-widget 0.1.0',
      token: () => this.authorize(),
      store: tabStore(),
      storeName: this.prefix + 'tab',
    })
    const local = this.current?.startsWith(LOCAL) && this.current.slice(LOCAL.length)
    if (local && !this.client.outbox.find(local)) this.current = undefined
    if (this.current) {
      this.client.thread(this.current).seen = Number(this.recall('seen') ?? 0)
      if (!this.current.startsWith(LOCAL)) this.client.follow(this.current)
    }
    this.listen()
  }

  get summary(): Summary | undefined {
    return this.current === undefined ? undefined : this.client.summaries.get(this.current)
  }

  get state(): 'new' | 'opening' | 'waiting' | 'active' | 'closed' {
    if (this.current === undefined) return 'new'
    if (this.current.startsWith(LOCAL)) return 'opening'
    return this.summary?.state ?? this.byEvents() ?? 'opening'
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

  destroy(): void {
    this.client.forget()
    this.client.stop(true)
  }

  say(text: string, form: Record<string, string>, language: string): void {
    if (this.state === 'new' || this.state === 'closed') this.open(form, language)
    this.client.send(this.current!, text)
    this.changed()
  }

  leaveMessage(text: string, form: Record<string, string>, language: string): void {
    if (this.current && this.state === 'waiting') this.client.close(this.current)
    this.offline = 'sending'
    const key = this.client.open({ fields: form, text, language, offline: true, page: page() })
    this.show(LOCAL + key)
  }

  leave(): void {
    if (this.current && !this.current.startsWith(LOCAL)) this.client.close(this.current)
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
      if (value === undefined || value === '') localStorage.removeItem(this.prefix + name)
      else localStorage.setItem(this.prefix + name, value)
    } catch { /* storage is off: nothing survives, everything works */ }
  }

  /** Marks what is on screen as read. */
  read(): void {
    if (!this.current || this.current.startsWith(LOCAL)) return
    this.client.seen(this.current, true)
    this.remember('seen', String(this.client.thread(this.current).seen))
  }

  private open(fields: Record<string, string>, language: string): void {
    const key = this.client.open({ fields, language, page: page() })
    this.show(LOCAL + key)
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
    client.on('welcome', ({ conversations }) => this.adopt(conversations))
    client.on('error', ({ key, code }) => {
      if (this.current !== LOCAL + key) return
      this.unavailable = code === 'unavailable' || code === 'rate_limited'
      if (!this.unavailable && client.outbox.find(key!) === undefined) this.refusedToOpen()
    })
    client.on('stopped', (code) => {
      if (code === 'unauthorized') this.token = undefined
      if (code === 'unauthorized') this.remember('token', undefined)
    })
    for (const event of ['state', 'row', 'removed', 'conversation', 'position', 'seen', 'error',
      'stopped', 'gone'] as const) client.on(event, () => this.changed())
  }

  // The server knows which conversation is ours: another tab or device may have opened it.
  private adopt(list: Summary[]): void {
    if (this.current?.startsWith(LOCAL)) return
    const open = list.filter((one) => one.state !== 'closed' && !one.offline)
    const newest = open.sort((a, b) => b.opened_at - a.opened_at)[0]
    const mine = list.find((one) => one.id === this.current)
    if (newest && newest.id !== this.current && (!mine || mine.state === 'closed')) {
      this.show(newest.id)
      this.client.follow(newest.id)
    } else if (mine?.state === 'closed' && !this.offline && old(mine, this.client.skew)) {
      this.show(undefined)
    } else if (mine?.offline && mine.state === 'waiting') this.offline = 'kept'
    this.changed()
  }

  // What was typed goes back to the composer: nothing is lost because a conversation could not be opened.
  private refusedToOpen(): void {
    const id = this.current
    const texts = (id ? this.client.threads.get(id)?.rows ?? [] : [])
      .map((row) => (row.key ? this.client.discard(row.key) : undefined))
      .filter((text) => text !== undefined)
    this.offline = undefined
    this.show(undefined)
    if (texts.length > 0) this.context.host.dispatchEvent(new CustomEvent('restore', {
      detail: texts.join('\n'),
    }))
  }

  private byEvents(): 'waiting' | 'active' | 'closed' | undefined {
    for (const row of [...this.client.thread(this.current!).rows].reverse()) {
      if (row.body.type === 'closed' || row.body.type === 'rated') return 'closed'
      if (row.body.type === 'assigned') return 'active'
      if (row.body.type === 'queued' || row.body.type === 'opened') return 'waiting'
    }
    return undefined
  }

  private async authorize(): Promise<string> {
    if (this.token && this.token.expires_at > Date.now() + 86_400_000) return this.token.token
    const answer = await fetch(new URL('/v1/visitors', this.context.base), {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        site: this.context.options.site, ...(this.token ? { token: this.token.token } : {}),
      }),
      signal: AbortSignal.timeout(10_000),
    })
    if (!answer.ok) throw new Error(`visitors: ${answer.status}`)
    this.token = (await answer.json()) as { token: string; expires_at: number }
    this.remember('token', JSON.stringify(this.token))
    return this.token.token
  }
}

function old(summary: Summary, skew: number): boolean {
  return Date.now() + skew - (summary.closed_at ?? 0) > RECENT_MS
}

function page(): string {
  return (location.origin + location.pathname).slice(0, 500)
}

function parse(text: string | null): { token: string; expires_at: number } | undefined {
  try {
    const value = JSON.parse(text ?? '') as { token?: unknown }
    return typeof value.token === 'string' ? (value as { token: string; expires_at: number }) : undefined
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
