// What the widget and the console have in common (an agent's own verbs are in agent.ts): what is known of every conversation, what is still to be sent, what just happened.
// It owns no view and no clock of its own. Listen with `on`; read `threads`, `summaries`, `positions`.

import { Connection } from './connection'
import type { ConnectionEvents, ConnectionOptions, ConnectionState } from './connection'
import type {
  Ack, ByeCode, Draft, Failure, FileInfo, Id, KefuEvent, Limits, Outage, Party, Position,
  ResumePoint, Seen, ServerFrame, Signal, Summary, Typing, Welcome, You,
} from './frames'
import { sameParty } from './frames'
import { openLongPoll } from './longpoll'
import { LOCAL, Outbox, lane } from './outbox'
import type { Entry, Store } from './outbox'
import { Shared } from './shared'
import type { Link } from './shared'
import { Thread } from './thread'
import type { Row } from './thread'
import { openWebSocket } from './websocket'

export interface ClientOptions {
  /** Origin of the server. */
  base: string
  /** Name and version, ≤ 64 characters, for the server's log. */
  client: string
  /** The token; nothing when the session cookie speaks for us. */
  token?: () => string | undefined | Promise<string | undefined>
  /** Keeps drafts over a reload. */
  store?: Store
  /** Name of the drafts in the store: one per site or account. */
  storeName: string
  carriers?: ConnectionOptions['carriers']
  /** Called after every event. */
  changed?: () => void
  /** Tabs with the same name here share one connection. */
  share?: string
}

export interface ClientEvents {
  state: [ConnectionState]
  welcome: [Welcome]
  /** An event that is new to this client. */
  event: [KefuEvent]
  /** A row appeared or changed. */
  row: [Row, Id]
  /** A row went away (a deleted draft). */
  removed: [string, Id]
  /** A conversation opened here got its id. */
  opened: [{ key: string; conversation: Id }]
  ack: [Ack]
  conversation: [Summary]
  gone: [Id]
  position: [Position]
  typing: [Typing]
  seen: [Seen]
  report: [unknown]
  outages: [Outage[]]
  me: [You]
  /** A refusal: of a draft (it has a `key`) or of a signal. */
  error: [Failure]
  /** The server will not have us: sign in again, or reload. */
  stopped: [ByeCode]
}

type Listener<E extends keyof ClientEvents> = (...args: ClientEvents[E]) => void

const ACK_TIMEOUT_MS = 10_000
const GIVE_UP_MS = 30_000
/** Refusals that pass: every other one is for good. */
const PASSING = /^(rate_limited|unavailable|unauthorized)$/

export class Client {
  you: You | undefined
  limits: Limits = { text_bytes: 8_192, frame_bytes: 65_536 }
  readonly threads = new Map<Id, Thread>()
  readonly summaries = new Map<Id, Summary>()
  readonly positions = new Map<Id, Position>()
  readonly outbox: Outbox
  /** Server clock minus ours, for display of ages only. */
  skew = 0

  private readonly connection: Link
  private readonly listeners: Record<string, ((...args: never[]) => void)[]> = {}
  protected readonly following = new Set<Id>()
  private readonly typingSent = new Map<Id, number>()
  private pump: ReturnType<typeof setInterval> | undefined
  private lostAt = 0

  constructor(private readonly options: ClientOptions) {
    this.outbox = new Outbox(options.store, options.storeName)
    const connect = (on: ConnectionEvents): Connection => new Connection({
      base: options.base,
      hello: async () => {
        const token = await options.token?.()
        return { type: 'hello', protocol: 1, token, resume: this.resume(), client: options.client }
      },
      carriers: options.carriers ?? { websocket: openWebSocket, longpoll: openLongPoll },
    }, on)
    const on: ConnectionEvents = {
      state: (state) => this.changed(state),
      frame: (frame) => this.hear(frame),
    }
    this.connection = options.share === undefined ? connect(on) : new Shared(
      options.share, connect, on,
      { resume: () => this.resume(), since: (points, welcome) => this.since(points, welcome) },
    )
    for (const entry of this.outbox.entries) this.show(entry)
  }

  get state(): ConnectionState {
    return this.connection.state
  }

  /** `websocket` or `longpoll`, once connected. */
  get carrier(): string | undefined {
    return this.connection.kind
  }

  /** Whether this tab holds the connection. */
  get leads(): boolean {
    return this.connection.leads
  }

  on<E extends keyof ClientEvents>(event: E, listener: Listener<E>): void {
    (this.listeners[event] ??= []).push(listener as never)
  }

  start(): void {
    this.lostAt ||= Date.now()
    this.pump ??= setInterval(() => this.flush(), 500)
    this.connection.start()
  }

  stop(bye = false): void {
    clearInterval(this.pump)
    this.pump = undefined
    this.connection.stop(bye)
  }

  /** Network back, page shown again. */
  hurry(): void {
    this.connection.hurry()
  }

  thread(id: Id): Thread {
    let thread = this.threads.get(id)
    if (!thread) this.threads.set(id, thread = new Thread(id))
    return thread
  }

  isMe(party: Party): boolean {
    return this.you !== undefined && sameParty(party, this.you)
  }

  // — drafts: kept and repeated until the server answers —

  open(form: Omit<Extract<Draft, { type: 'open' }>, 'type' | 'key'>): string {
    return this.enqueue({ type: 'open', key: newKey(), ...form })
  }

  /** To a conversation, or to `LOCAL + key` of one that is being opened. */
  send(conversation: Id, text: string, file?: FileInfo): string {
    return this.enqueue({ type: 'send', key: newKey(), conversation, text, file: file?.id }, file)
  }

  close(conversation: Id): string {
    return this.enqueue({ type: 'close', key: newKey(), conversation })
  }

  rate(conversation: Id, score: number, comment?: string): string {
    return this.enqueue({ type: 'rate', key: newKey(), conversation, score, comment: comment || undefined })
  }

  /** Tries a failed draft again under the same key. */
  retry(key: string): void {
    const entry = this.outbox.find(key)
    if (!entry) return
    Object.assign(entry, { failed: undefined, notBefore: 0, sentAt: 0, at: Date.now() })
    this.outbox.save()
    this.mark(entry, { state: 'sending', error: undefined })
    this.flush()
  }

  /** Forgets a draft that was not sent; answers its text. */
  discard(key: string): string | undefined {
    const entry = this.outbox.remove(key)
    if (!entry) return undefined
    const of = lane(entry.draft)
    this.threads.get(of)?.remove(key)
    this.emit('removed', key, of)
    return entry.draft.type === 'send' ? entry.draft.text : undefined
  }

  // — signals: may be lost —

  follow(conversation: Id): void {
    this.following.add(conversation)
    this.say({ type: 'follow', conversation, seq: this.thread(conversation).cursor })
  }

  /** Renewed at most every 3 s while on. */
  typing(conversation: Id, on: boolean): void {
    const last = this.typingSent.get(conversation) ?? 0
    if (on ? Date.now() - last < 3_000 : last === 0) return
    this.typingSent.set(conversation, on ? Date.now() : 0)
    this.say({ type: 'typing', conversation, on })
  }

  /** Tells what has been shown (`delivered`) and looked at (`read`). */
  seen(conversation: Id, read: boolean): void {
    const thread = this.thread(conversation)
    const head = thread.cursor
    if ((read ? thread.seen : thread.told) >= head) return
    thread.told = head
    if (read) thread.seen = head
    this.say({ type: 'seen', conversation, ...(read ? { read: head } : { delivered: head }) })
  }

  /** Removes everything this client keeps, also from the store. */
  forget(): void {
    this.outbox.clear()
    this.threads.clear()
    this.summaries.clear()
    this.positions.clear()
    this.following.clear()
    this.you = undefined
  }

  protected say(frame: Signal): boolean {
    return this.connection.say(frame)
  }

  protected enqueue(draft: Draft, file?: FileInfo): string {
    this.show(this.outbox.add(draft, Date.now(), file))
    this.flush()
    return draft.key
  }

  protected show({ draft, at, file, failed }: Entry): void {
    if (draft.type !== 'send') return
    const from = (this.you ?? ME) as Party
    const thread = this.thread(draft.conversation)
    const { key, note, text } = draft
    const type = note ? 'note' : 'message'
    const row = thread.draft(key, from, { type, text, file }, at + this.skew)
    if (failed) Object.assign(row, { state: 'failed', error: failed.code, reason: failed.message })
    this.emit('row', row, draft.conversation)
  }

  private rowOf(entry: Entry): Row | undefined {
    return this.threads.get(lane(entry.draft))?.find(entry.draft.key)
  }

  private mark(entry: Entry, change: Partial<Row>): void {
    const row = this.rowOf(entry)
    if (row) this.emit('row', Object.assign(row, change), lane(entry.draft))
  }

  private flush(): void {
    const now = Date.now()
    if (this.state !== 'open') return this.despair(now)
    for (const entry of this.outbox.due(now, ACK_TIMEOUT_MS)) {
      entry.sentAt = now
      this.connection.say(entry.draft)
    }
  }

  // Half a minute without a connection: say so beside each draft. They still go out by themselves later.
  private despair(now: number): void {
    if (this.lostAt === 0 || now - this.lostAt < GIVE_UP_MS) return
    for (const entry of this.outbox.entries) {
      if (this.rowOf(entry)?.state === 'sending' && now - entry.at >= GIVE_UP_MS) {
        this.mark(entry, { state: 'failed', error: 'offline' })
      }
    }
  }

  private changed(state: ConnectionState): void {
    if (state === 'open') this.lostAt = 0
    else this.lostAt ||= Date.now()
    this.emit('state', state)
  }

  private resume(): { conversation: Id; seq: number }[] {
    const ids = new Set([...this.following, ...this.summaries.keys()])
    return [...ids].filter((id) => this.threads.has(id))
      .map((conversation) => ({ conversation, seq: this.threads.get(conversation)!.cursor }))
  }

  // What another tab missed, as the server would tell it.
  private since(points: ResumePoint[], welcome: Welcome): ServerFrame[] {
    const frames: ServerFrame[] = [
      { ...welcome, conversations: [...this.summaries.values()] }, ...this.positions.values(),
    ]
    for (const [conversation, thread] of this.threads) {
      const after = points.find((point) => point.conversation === conversation)?.seq ?? 0
      for (const { seq, at, from, key, body } of thread.rows) {
        if (seq === undefined || seq <= after) continue
        frames.push({ type: 'event', event: { conversation, seq, at, from, key, ...body } })
      }
      const { delivered, read } = thread
      frames.push({ type: 'seen', conversation, from: { kind: 'system' }, delivered, read })
    }
    return frames
  }

  private welcomed(frame: Welcome): void {
    this.you = frame.you
    this.limits = frame.limits
    this.skew = frame.time - Date.now()
    for (const summary of frame.conversations) this.summaries.set(summary.id, summary)
    this.outbox.rewind()
    for (const entry of this.outbox.entries) {
      if (this.rowOf(entry)?.error === 'offline') this.mark(entry, { state: 'sending', error: undefined })
    }
    this.emit('welcome', frame)
    for (const summary of frame.conversations) this.emit('conversation', summary)
    this.flush()
  }

  protected hear(frame: ServerFrame): void {
    switch (frame.type) {
      case 'welcome': return this.welcomed(frame)
      // Any other one is the connection's own business.
      case 'bye': return this.state === 'stopped' ? this.emit('stopped', frame.code) : undefined
      case 'event': return this.event(frame.event)
      case 'ack': return this.acked(frame)
      case 'error': return this.refused(frame)
      case 'conversation':
        this.summaries.set(frame.conversation.id, frame.conversation)
        if (frame.conversation.state !== 'waiting') this.positions.delete(frame.conversation.id)
        return this.emit('conversation', frame.conversation)
      case 'position':
        this.positions.set(frame.conversation, frame)
        return this.emit('position', frame)
      case 'typing': return this.emit('typing', frame)
      case 'seen': return this.marked(frame)
    }
  }

  protected event(event: KefuEvent): void {
    const row = this.thread(event.conversation).apply(event)
    if (event.key !== undefined && this.isMe(event.from)) this.settled(event.key, event.conversation)
    if (!row) return
    this.emit('row', row, event.conversation)
    this.emit('event', event)
  }

  private acked(ack: Ack): void {
    this.settled(ack.key, ack.conversation)
    const { key, seq, at, text } = ack
    const row = this.threads.get(ack.conversation)?.ack(key, seq, at, text)
    if (row) this.emit('row', row, ack.conversation)
    this.emit('ack', ack)
    this.flush()
  }

  // By ack or by event, whichever comes first: a draft is no longer ours to repeat, an opened conversation has its id.
  private settled(key: string, conversation: Id): void {
    if (this.outbox.remove(key)?.draft.type !== 'open') return
    const local = LOCAL + key
    this.outbox.rename(local, conversation)
    const rows = this.threads.get(local)?.rows ?? []
    this.threads.delete(local)
    const thread = this.thread(conversation)
    for (const row of rows) {
      if (!thread.find(row.key, row.seq)) thread.add(row)
    }
    this.emit('opened', { key, conversation })
  }

  private refused(failure: Failure): void {
    const { key, code, message, retry_after_ms: wait = 2_000 } = failure
    const entry = this.outbox.find(key)
    if (entry && PASSING.test(code)) {
      const retryAt = entry.notBefore = Date.now() + wait
      entry.sentAt = 0
      this.mark(entry, { error: code, retryAt })
    } else if (entry) {
      entry.failed = { code, message }
      if (entry.draft.type === 'send') this.outbox.save()
      else this.outbox.remove(key!)
      this.mark(entry, { state: 'failed', error: code, reason: message })
    }
    this.flush()
    this.emit('error', failure)
  }

  private marked(seen: Seen): void {
    if (!this.isMe(seen.from)) {
      const thread = this.thread(seen.conversation)
      thread.delivered = Math.max(thread.delivered, seen.delivered ?? 0, seen.read ?? 0)
      if ((seen.read ?? 0) > thread.read) {
        thread.read = seen.read!
        thread.readAt = Date.now() + this.skew
      }
    }
    this.emit('seen', seen)
  }

  protected emit<E extends keyof ClientEvents>(event: E, ...args: ClientEvents[E]): void {
    this.listeners[event]?.forEach((listener) => listener(...args as unknown as never[]))
    this.options.changed?.()
  }
}

/** Stands for us until the first welcome. */
export const ME: Party = { kind: 'visitor', id: '' }

/** Grows with time, so that the server finds a conversation's newest keys side by side. */
export function newKey(): string {
  return Date.now().toString(36) + Math.random().toString(36)
}
