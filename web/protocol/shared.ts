// One connection for all tabs of a browser: the holder of a Web Lock connects, the others send and hear through it.
//
//   start ──▶ follower ──(the lock is ours: no leader, or it went)──▶ leader ──stop──▶ idle
//
// A follower asks with the places it has reached; the leader answers with a welcome and what is missing, then passes on
// everything it hears. Every new welcome makes followers ask again, so nothing is lost when leaders change: drafts are
// repeated under their keys, events merge by seq. Without locks each tab connects for itself.

import type { Connection, ConnectionEvents, ConnectionState } from './connection'
import type { ByeCode, ClientFrame, ResumePoint, ServerFrame, Summary, Welcome } from './frames'

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
  since(points: ResumePoint[]): { conversations: Summary[]; frames: ServerFrame[] }
}

type Note =
  | { to: 'leader'; say: ClientFrame } | { to: 'leader'; hurry: true }
  | { to: 'leader'; ask: ResumePoint[]; tab: string }
  | { to: 'all'; state: ConnectionState } | { to: 'all'; welcome: true }
  | { to: 'all'; frame: ServerFrame } | { to: 'all'; stopped: ByeCode }
  | { to: 'tab'; tab: string; welcome: Welcome; frames: ServerFrame[] }

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
        this.post({ to: 'all', state })
      },
      welcome: (welcome) => {
        this.last = welcome
        on.welcome(welcome)
        this.post({ to: 'all', welcome: true })
      },
      frame: (frame) => {
        on.frame(frame)
        this.post({ to: 'all', frame })
      },
      stopped: (code) => {
        on.stopped(code)
        this.post({ to: 'all', stopped: code })
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
    if (!globalThis.navigator?.locks) return this.lead()
    this.channel = new BroadcastChannel(this.name)
    this.channel.onmessage = ({ data }) => this.hear(data as Note)
    this.set('connecting')
    this.ask()
    const held = new Promise<void>((done) => { this.free = done })
    navigator.locks.request(this.name, { signal: lock.signal }, () => {
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
    else this.post({ to: 'leader', hurry: true })
  }

  say(frame: ClientFrame): boolean {
    if (this.leads) return this.real.say(frame)
    if (this.state === 'open') this.post({ to: 'leader', say: frame })
    return this.state === 'open'
  }

  private lead(): void {
    this.leads = true
    if (this.state === 'open') this.set('reconnecting')
    this.real.start()
  }

  private ask(): void {
    this.post({ to: 'leader', ask: this.memory.resume(), tab: this.tab })
  }

  private hear(note: Note): void {
    if (note.to === 'leader') {
      if (!this.leads) return
      if ('say' in note) this.real.say(note.say)
      else if ('ask' in note) this.answer(note)
      else this.real.hurry()
    } else if (this.leads) return
    else if (note.to === 'tab') {
      if (note.tab !== this.tab) return
      this.set('open')
      this.on.welcome(note.welcome)
      note.frames.forEach((frame) => this.on.frame(frame))
    } else if ('frame' in note) this.on.frame(note.frame)
    else if ('welcome' in note) this.ask()
    else if ('stopped' in note) {
      this.set('stopped')
      this.on.stopped(note.stopped)
    } else if (note.state !== 'open') this.set(note.state)
  }

  private answer({ ask, tab }: { ask: ResumePoint[]; tab: string }): void {
    if (this.state !== 'open' || !this.last) return
    const { conversations, frames } = this.memory.since(ask)
    this.post({ to: 'tab', tab, welcome: { ...this.last, conversations }, frames })
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
