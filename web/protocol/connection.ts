// Keeps one carrier alive: WebSocket first, long-poll when upgrades fail or die young, back up when it works again.
//
//   idle ──start──▶ connecting ──welcome──▶ open ──down──▶ reconnecting ──(jittered wait)──▶ connecting
//                                             └─bye replaced · protocol · unauthorized──▶ stopped

import type { ByeCode, ClientFrame, ServerFrame, Welcome } from './frames'
import type { Carrier, Hello, OpenCarrier } from './carrier'
import { openLongPoll } from './longpoll'
import { openWebSocket } from './websocket'

export type ConnectionState = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'stopped'

export interface ConnectionOptions {
  /** Origin of the server, `https://host`. */
  base: string
  hello(): Hello | Promise<Hello>
  carriers?: { websocket: OpenCarrier; longpoll: OpenCarrier }
  random?(): number
}

export interface ConnectionEvents {
  state(state: ConnectionState): void
  welcome(frame: Welcome): void
  frame(frame: ServerFrame): void
  stopped(code: ByeCode): void
}

const OPEN_MS = 8_000
const YOUNG_MS = 10_000
const CLIMB_MS = 60_000
const SLOWEST_MS = 30_000

export class Connection {
  readonly leads = true
  state: ConnectionState = 'idle'
  private carrier: Carrier | undefined
  private probe: Carrier | undefined
  private prefer: 'websocket' | 'longpoll' = 'websocket'
  private attempt = 0
  private generation = 0
  private deaths = 0
  private welcomedAt = 0
  private heardAt = 0
  private saidAt = 0
  private heartbeat = 25_000
  private idle = 60_000
  private climbAt = Infinity
  private climbWait = CLIMB_MS
  private wait = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private tick: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly options: ConnectionOptions,
    private readonly on: ConnectionEvents,
  ) {}

  get kind(): Carrier['kind'] | undefined {
    return this.carrier?.kind
  }

  start(): void {
    if (this.state !== 'idle' && this.state !== 'stopped') return
    this.tick = setInterval(() => this.beat(), 1_000)
    this.set('connecting')
    void this.connect()
  }

  /** Ends it. `bye` tells the server at once instead of letting it find out. */
  stop(bye = false): void {
    if (bye) this.carrier?.send({ type: 'bye' })
    this.end()
    this.set('idle')
  }

  /** The network is back or the page is shown again: no reason to wait any longer. */
  hurry(): void {
    if (this.state === 'reconnecting' && this.retry !== undefined) {
      this.attempt = 0
      clearTimeout(this.retry)
      void this.connect()
    } else if (this.state === 'open' && Date.now() - this.heardAt > this.heartbeat) {
      this.say({ type: 'ping' })
      // A socket that slept through a suspend is dead more often than not: give it 3 s.
      this.idle = Math.min(this.idle, Date.now() - this.heardAt + 3_000)
    }
  }

  /** Sends when open; answers whether it could. */
  say(frame: ClientFrame): boolean {
    if (this.state !== 'open' || !this.carrier) return false
    this.saidAt = Date.now()
    this.carrier.send(frame)
    return true
  }

  private open(kind: Carrier['kind']): OpenCarrier {
    const { carriers } = this.options
    if (carriers) return carriers[kind]
    return kind === 'websocket' ? openWebSocket : openLongPoll
  }

  private async connect(): Promise<void> {
    this.retry = undefined
    const generation = ++this.generation
    const kind = this.prefer
    let hello: Hello
    try {
      hello = await this.options.hello()
    } catch {
      if (generation === this.generation) this.later(0)
      return
    }
    if (generation !== this.generation) return
    this.heardAt = Date.now()
    const mine = (): boolean => generation === this.generation
    try {
      this.carrier = this.open(kind)(this.options.base, hello, {
        frame: (frame) => mine() && this.hear(frame),
        down: (_why, retry) => mine() && this.fell(kind, retry ?? 0),
      })
    } catch {
      this.fell(kind, 0)
    }
  }

  private hear(frame: ServerFrame): void {
    this.heardAt = Date.now()
    if (frame.type === 'welcome') return this.welcome(frame)
    if (frame.type === 'ping') return void this.say({ type: 'pong' })
    if (frame.type === 'bye') return this.bye(frame.code, frame.reconnect_ms ?? 0)
    this.on.frame(frame)
  }

  private welcome(frame: Welcome): void {
    this.attempt = 0
    this.welcomedAt = Date.now()
    this.heartbeat = frame.heartbeat_ms
    this.idle = frame.idle_timeout_ms
    this.climbAt = this.carrier?.kind === 'longpoll' ? Date.now() + this.climbWait : Infinity
    this.set('open')
    this.on.welcome(frame)
  }

  private bye(code: ByeCode, reconnectMs: number): void {
    if (code === 'replaced' || code === 'protocol' || code === 'unauthorized') {
      this.end()
      this.set('stopped')
      this.on.stopped(code)
      return
    }
    this.wait = reconnectMs
    this.deaths = 0
    this.drop()
    this.later(reconnectMs)
  }

  private fell(kind: Carrier['kind'], retryMs: number): void {
    const young = this.state !== 'open' || Date.now() - this.welcomedAt < YOUNG_MS
    this.drop()
    if (kind === 'websocket') {
      this.deaths = young ? this.deaths + 1 : 0
      const refused = this.state !== 'open'
      // An upgrade that never worked: try the other carrier at once. Both failing means the server is away.
      if (young && (refused || this.deaths >= 2)) {
        this.prefer = 'longpoll'
        if (refused && this.attempt === 0) {
          this.attempt = 1
          void this.connect()
          return
        }
      }
    } else if (this.state !== 'open') {
      this.prefer = 'websocket'
    }
    this.later(retryMs)
  }

  private later(leastMs: number): void {
    this.set(this.state === 'connecting' ? 'connecting' : 'reconnecting')
    const ceiling = Math.min(SLOWEST_MS, 500 * 2 ** this.attempt)
    const jitter = (this.options.random ?? Math.random)()
    this.attempt = Math.min(this.attempt + 1, 10)
    this.wait = leastMs + ceiling * (0.5 + jitter / 2)
    clearTimeout(this.retry)
    this.retry = setTimeout(() => {
      if (this.state === 'connecting') this.set('reconnecting')
      void this.connect()
    }, this.wait)
  }

  private beat(): void {
    const now = Date.now()
    if (this.state === 'open') {
      if (now - this.heardAt > this.idle) return this.fell(this.kind ?? 'websocket', 0)
      if (now - Math.max(this.saidAt, this.heardAt) > this.heartbeat) this.say({ type: 'ping' })
      if (now > this.climbAt) void this.climb()
    } else if (this.carrier && now - this.heardAt > OPEN_MS * (this.prefer === 'longpoll' ? 2 : 1)) {
      this.fell(this.carrier.kind, 0)
    }
  }

  // Polling works; see whether a socket does too. Only a welcome changes carriers: nothing is interrupted before.
  private async climb(): Promise<void> {
    this.climbAt = Infinity
    const generation = this.generation
    const hello = await Promise.resolve(this.options.hello()).catch(() => undefined)
    if (!hello || generation !== this.generation) return
    const failed = (): void => {
      this.probe = undefined
      this.climbWait = Math.min(this.climbWait * 2, 600_000)
      this.climbAt = Date.now() + this.climbWait
    }
    const probe = this.open('websocket')(this.options.base, hello, {
      frame: (frame) => {
        if (this.carrier === probe) return void (this.generation === next && this.hear(frame))
        if (frame.type !== 'welcome' || generation !== this.generation) return
        this.carrier?.close()
        this.carrier = probe
        this.probe = undefined
        this.prefer = 'websocket'
        this.climbWait = CLIMB_MS
        next = ++this.generation
        this.hear(frame)
      },
      down: () => {
        if (this.carrier === probe) {
          if (this.generation === next) this.fell('websocket', 0)
        } else failed()
      },
    })
    let next = -1
    this.probe = probe
    setTimeout(() => {
      if (this.probe !== probe) return
      probe.close()
      failed()
    }, OPEN_MS)
  }

  private drop(): void {
    this.generation += 1
    this.probe?.close()
    this.probe = undefined
    this.carrier?.close()
    this.carrier = undefined
  }

  private end(): void {
    this.drop()
    clearTimeout(this.retry)
    this.retry = undefined
    clearInterval(this.tick)
    this.attempt = 0
  }

  private set(state: ConnectionState): void {
    if (this.state === state) return
    this.state = state
    this.on.state(state)
  }
}
