// Keeps one carrier alive: WebSocket first, long-poll when upgrades fail or die young, back up when it works again.
//
//   idle ──start──▶ connecting ──welcome──▶ open ──down──▶ reconnecting ──(jittered wait)──▶ connecting
//                                             └─bye protocol · unauthorized──▶ stopped

import type { Bye, ClientFrame, ServerFrame, Welcome } from './frames'
import type { Carrier, Hello, OpenCarrier } from './carrier'

export type ConnectionState = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'stopped'

export interface ConnectionOptions {
  /** Origin of the server, `https://host`. */
  base: string
  hello(): Hello | Promise<Hello>
  /** How to open each kind. */
  carriers: Record<Carrier['kind'], OpenCarrier>
}

export interface ConnectionEvents {
  state(state: ConnectionState): void
  /** Everything that came, after what it does to the connection. */
  frame(frame: ServerFrame): void
}

const OPEN_MS = 8_000
const YOUNG_MS = 10_000
const CLIMB_MS = 60_000
const SLOWEST_CLIMB_MS = 600_000
const SLOWEST_MS = 30_000

export class Connection {
  readonly leads = true
  state: ConnectionState = 'idle'
  private carrier: Carrier | undefined
  private opening: Carrier | undefined
  private prefer: 'websocket' | 'longpoll' = 'websocket'
  private attempt = 0
  private generation = 0
  private deaths = 0
  private welcomedAt = 0
  private heardAt = 0
  private saidAt = 0
  private openedAt = 0
  private heartbeat = 25_000
  private idle = 60_000
  private climbAt = Infinity
  private climbWait = CLIMB_MS
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
    } else if (this.carrier?.kind === 'websocket' && this.state === 'open' && Date.now() - this.heardAt > this.heartbeat) {
      this.say({ type: 'ping' })
      // A socket that slept through a suspend is dead more often than not: give it 3 s.
      this.idle = Math.min(this.idle, Date.now() - this.heardAt + 3_000)
    }
  }

  /** Sends when open; answers whether it could. */
  say(frame: ClientFrame): boolean {
    if (this.state !== 'open') return false
    this.saidAt = Date.now()
    this.carrier!.send(frame)
    return true
  }

  /** Opens a carrier. One that is in use stays in use until the new one is welcome. */
  private async connect(kind = this.prefer): Promise<void> {
    this.retry = undefined
    const generation = ++this.generation
    let one: Carrier | undefined
    const down = (wait = 0): void => {
      if (generation !== this.generation || one !== this.opening) {
        if (one && one === this.carrier) this.fell(kind, wait)
      } else if (this.carrier) this.climbLater()
      else this.fell(kind, wait)
    }
    try {
      const { base, carriers, hello: greet } = this.options
      const hello = await greet()
      if (generation !== this.generation) return
      this.openedAt = Date.now()
      this.opening = one = carriers[kind](base, hello, {
        frame: (frame) => {
          if (one === this.opening && (!this.carrier || frame.type === 'welcome')) {
            if (frame.type === 'welcome') this.adopt(one!)
          } else if (one !== this.carrier) return
          this.hear(frame)
        },
        down,
      })
    } catch {
      down()
    }
  }

  private adopt(one: Carrier): void {
    // The session before is not needed any more; the new one is there already.
    this.carrier?.send({ type: 'bye' })
    this.carrier?.close()
    this.carrier = one
    this.opening = undefined
    this.prefer = one.kind
  }

  private hear(frame: ServerFrame): void {
    this.heardAt = Date.now()
    if (frame.type === 'welcome') this.welcome(frame)
    if (frame.type === 'ping') this.say({ type: 'pong' })
    if (frame.type === 'bye') this.bye(frame)
    this.on.frame(frame)
  }

  private welcome(frame: Welcome): void {
    this.attempt = 0
    this.welcomedAt = Date.now()
    this.heartbeat = frame.heartbeat_ms
    this.idle = frame.idle_timeout_ms
    const polls = this.carrier?.kind === 'longpoll'
    if (!polls) this.climbWait = CLIMB_MS
    this.climbAt = polls ? Date.now() + this.climbWait : Infinity
    this.set('open')
  }

  private bye({ code, reconnect_ms: wait = 0 }: Bye): void {
    if (code === 'protocol' || code === 'unauthorized') {
      this.end()
      this.set('stopped')
    } else {
      this.deaths = 0
      this.drop()
      this.later(wait)
    }
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
    if (this.state === 'open') this.set('reconnecting')
    const most = Math.min(SLOWEST_MS, 500 * 2 ** this.attempt++)
    clearTimeout(this.retry)
    this.retry = setTimeout(() => {
      this.set('reconnecting')
      void this.connect()
    }, leastMs + most * (0.5 + Math.random() / 2))
  }

  private beat(): void {
    const now = Date.now()
    const { opening, carrier } = this
    if (opening && now - this.openedAt > (opening.kind === 'longpoll' ? 2 : 1) * OPEN_MS) {
      if (carrier) this.climbLater()
      else this.fell(opening.kind, 0)
    } else if (carrier) {
      if (now - this.heardAt > this.idle) return this.fell(carrier.kind, 0)
      if (now - Math.max(this.saidAt, this.heardAt) > this.heartbeat) this.say({ type: 'ping' })
      // Polling works; see whether a socket does too.
      if (now > this.climbAt) {
        this.climbAt = Infinity
        void this.connect('websocket')
      }
    }
  }

  private climbLater(): void {
    this.opening?.close()
    this.opening = undefined
    this.climbWait = Math.min(this.climbWait * 2, SLOWEST_CLIMB_MS)
    this.climbAt = Date.now() + this.climbWait
  }

  private drop(): void {
    const { opening, carrier } = this
    this.generation += 1
    this.opening = this.carrier = undefined
    opening?.close()
    carrier?.close()
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
