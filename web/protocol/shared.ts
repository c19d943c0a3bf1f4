// One connection for all tabs of a browser: the holder of a Web Lock connects, the others send and hear through it.
//
//   start ──▶ follower ──(the lock is ours: no leader, or it went)──▶ leader ──stop──▶ idle
//
// A follower asks with the places it has reached; the leader answers with a welcome and what is missing, then passes on
// everything it hears. Every new welcome makes followers ask again, so nothing is lost when leaders change: drafts are
// repeated under their keys, events merge by seq. Without locks each tab connects for itself.

import type { Connection, ConnectionEvents, ConnectionState } from './connection'
import type { ClientFrame, ResumePoint, ServerFrame, Welcome } from './frames'

/** What a client needs of a connection, own or shared. */
export interface Link {
  readonly state: ConnectionState
  readonly kind: string | undefined
  readonly leads: boolean
  start(): void
  stop(bye?: boolean): void
  hurry(): void
  say(frame: ClientFrame): boolean
}

export interface Memory {
  resume(): ResumePoint[]
  /** What came after these places, as the server would tell it, behind its welcome. */
  since(points: ResumePoint[], welcome: Welcome): ServerFrame[]
}

/** To the leader `say`, `hurry`, `ask` by a `tab`; to that tab its `frames`; to all what the leader heard. */
interface Note {
  say?: ClientFrame
  hurry?: true
  ask?: ResumePoint[]
  tab?: string
  frames?: ServerFrame[]
  frame?: ServerFrame
  state?: ConnectionState
}

export class Shared implements Link {
  state: ConnectionState = 'idle'
  leads = false
  private readonly real: Connection
  private readonly tab = Math.random().toString(36)
  private channel: BroadcastChannel | undefined
  private lock: AbortController | undefined
  private free: (() => void) | undefined
  private last: Welcome | undefined

  constructor(
    private readonly name: string,
    connect: (on: ConnectionEvents) => Connection,
    private readonly on: ConnectionEvents,
    private readonly memory: Memory,
  ) {
    this.real = connect({
      state: (state) => {
        if (!this.leads) return
        this.set(state)
        this.post({ state })
      },
      frame: (frame) => {
        if (frame.type === 'welcome') this.last = frame
        on.frame(frame)
        this.post({ frame })
      },
    })
  }

  get kind(): string | undefined {
    return this.leads ? this.real.kind : this.state === 'open' ? 'tab' : undefined
  }

  start(): void {
    if (this.lock) {
      if (this.leads) this.real.start()
      return
    }
    const lock = this.lock = new AbortController()
    const { locks } = navigator
    if (!locks) return this.lead()
    this.channel = new BroadcastChannel(this.name)
    this.channel.onmessage = ({ data }) => this.hear(data as Note)
    this.set('connecting')
    this.ask()
    const held = new Promise<void>((done) => { this.free = done })
    locks.request(this.name, lock, () => {
      if (!lock.signal.aborted) this.lead()
      return held
    }).catch(() => undefined)
  }

  stop(bye = false): void {
    this.real.stop(bye)
    this.channel?.close()
    this.lock?.abort()
    this.free?.()
    this.channel = this.lock = undefined
    this.leads = false
    this.set('idle')
  }

  hurry(): void {
    if (this.leads) this.real.hurry()
    else this.post({ hurry: true })
  }

  say(frame: ClientFrame): boolean {
    if (this.leads) return this.real.say(frame)
    if (this.state === 'open') this.post({ say: frame })
    return this.state === 'open'
  }

  private lead(): void {
    this.leads = true
    if (this.state === 'open') this.set('reconnecting')
    this.real.start()
  }

  private ask(): void {
    this.post({ ask: this.memory.resume(), tab: this.tab })
  }

  private hear({ say, hurry, ask, tab, frames, frame, state }: Note): void {
    if (this.leads) {
      if (say) this.real.say(say)
      if (hurry) this.real.hurry()
      if (ask && this.state === 'open') this.post({ tab, frames: this.memory.since(ask, this.last!) })
    } else if (frames) {
      if (tab !== this.tab) return
      this.set('open')
      frames.forEach((each) => this.on.frame(each))
    } else if (state && state !== 'open') this.set(state)
    else if (frame?.type === 'welcome') this.ask()
    else if (frame) this.on.frame(frame)
  }

  private post(note: Note): void {
    this.channel?.postMessage(note)
  }

  private set(state: ConnectionState): void {
    if (this.state === state) return
    this.state = state
    this.on.state(state)
  }
}
