// The client against a scripted server: order, merging, retries, resume, falling back and climbing.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Client, LOCAL, Thread } from './index'
import type { ClientFrame, Entry, KefuEvent, ServerFrame, Store, Summary } from './index'
import type { Carrier, CarrierEvents, Hello, OpenCarrier } from './carrier'

class Line implements Carrier {
  sent: ClientFrame[] = []
  closed = false
  constructor(
    readonly kind: 'websocket' | 'longpoll', readonly hello: Hello, readonly on: CarrierEvents,
  ) {}
  send(frame: ClientFrame): void { this.sent.push(structuredClone(frame)) }
  close(): void { this.closed = true }
  drafts(): string[] { return this.sent.filter((f) => 'key' in f).map((f) => (f as { key: string }).key) }
}

let lines: Line[] = []
let reach = { websocket: true, longpoll: true }
const opener = (kind: Line['kind']): OpenCarrier => (_base, hello, on) => {
  const line = new Line(kind, hello, on)
  lines.push(line)
  queueMicrotask(() => {
    if (!reach[kind]) return on.down()
    on.frame(welcome())
  })
  return line
}
const welcome = (): ServerFrame => ({
  type: 'welcome', protocol: 1, session: '1', you: { kind: 'visitor', id: '7' }, time: Date.now(),
  heartbeat_ms: 20_000, idle_timeout_ms: 45_000, version: 'x',
  limits: { text_bytes: 100, frame_bytes: 1000 }, conversations: [],
})
const last = (): Line => lines.at(-1)!
const message = (seq: number, text: string, key?: string): KefuEvent => ({
  conversation: '5', seq, at: seq, from: key ? { kind: 'visitor', id: '7' } : { kind: 'agent', id: '2' },
  type: 'message', text, ...(key ? { key } : {}),
})
function memory(): Store & { map: Map<string, string> } {
  const map = new Map<string, string>()
  return {
    map,
    get: (n) => JSON.parse(map.get(n) ?? '[]') as Entry[],
    set: (n, entries) => void (entries ? map.set(n, JSON.stringify(entries)) : map.delete(n)),
  }
}
const client = (store?: Store): Client => new Client({
  base: 'http://x', client: 'test', storeName: 'outbox', ...(store ? { store } : {}),
  carriers: { websocket: opener('websocket'), longpoll: opener('longpoll') },
})
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  reach = { websocket: true, longpoll: true }
})
afterEach(() => { vi.useRealTimers() })

describe('thread', () => {
  it('merges ack and event in either order and sorts by seq', () => {
    for (const ackFirst of [true, false]) {
      const thread = new Thread('5')
      thread.draft('a', { kind: 'visitor', id: '7' }, { type: 'message', text: 'one' }, 999)
      thread.draft('b', { kind: 'visitor', id: '7' }, { type: 'message', text: 'two' }, 1)
      thread.apply(message(2, 'hello'))
      const steps = [() => thread.ack('a', 3, 30), () => thread.apply(message(3, 'one', 'a'))]
      if (!ackFirst) steps.reverse()
      for (const step of steps) step()
      thread.apply(message(1, 'first'))
      expect(thread.rows.map((r) => [r.id, r.seq])).toEqual([['#1', 1], ['#2', 2], ['a', 3], ['b', undefined]])
      expect(thread.cursor).toBe(3)
    }
  })
  it('an ack does not move the cursor past events still on their way', () => {
    const thread = new Thread('5')
    thread.draft('a', { kind: 'visitor', id: '7' }, { type: 'message', text: 'one' }, 1)
    thread.ack('a', 9, 9)
    expect(thread.cursor).toBe(0)
  })
})

describe('client', () => {
  it('opens, then sends what was typed meanwhile to the new conversation, in order', async () => {
    const c = client()
    const opened = c.open({ fields: {} })
    const one = c.send(LOCAL + opened, 'one')
    const two = c.send(LOCAL + opened, 'two')
    c.start()
    await settle()
    expect(last().drafts()).toEqual([opened])
    last().on.frame({ type: 'ack', key: opened, conversation: '5', seq: 1, at: 1 })
    expect(last().drafts()).toEqual([opened, one])
    last().on.frame({ type: 'ack', key: one, conversation: '5', seq: 3, at: 1 })
    expect(last().drafts()).toEqual([opened, one, two])
    expect(c.thread('5').rows.map((r) => r.state)).toEqual(['sent', 'sending'])
    expect(c.threads.has(LOCAL + opened)).toBe(false)
  })

  it('an opened conversation gets its id by its event too, when that comes before the ack', async () => {
    const c = client()
    const ids: string[] = []
    c.on('opened', ({ conversation }) => ids.push(conversation))
    const opened = c.open({ fields: {} })
    const one = c.send(LOCAL + opened, 'one')
    c.start()
    await settle()
    last().on.frame({ type: 'event', event: message(1, 'first', opened) })
    expect(ids).toEqual(['5'])
    expect(c.thread('5').rows.map((r) => r.id)).toEqual([opened, one])
    await settle(500)
    expect(last().drafts()).toEqual([opened, one])
    last().on.frame({ type: 'ack', key: opened, conversation: '5', seq: 1, at: 1 })
    expect(ids).toEqual(['5'])
  })

  it('repeats an unanswered draft with the same key after a break and resumes from the cursor', async () => {
    const c = client()
    c.start()
    await settle()
    c.follow('5')
    last().on.frame({ type: 'event', event: message(4, 'hi') })
    const key = c.send('5', 'lost?')
    last().on.down()
    await settle(2_000)
    expect(lines.length).toBe(2)
    expect(last().hello.resume).toEqual([{ conversation: '5', seq: 4 }])
    expect(last().drafts()).toEqual([key])
    last().on.frame({ type: 'event', event: message(5, 'lost?', key) })
    expect(c.outbox.entries).toEqual([])
    expect(c.thread('5').rows.length).toBe(2)
  })

  it('an older summary that comes after a newer one changes nothing', async () => {
    const c = client()
    const told: string[] = []
    c.on('conversation', ({ state }) => told.push(state))
    c.start()
    await settle()
    for (const [version, state] of [[1, 'waiting'], [2, 'active'], [1, 'waiting']] as const) {
      last().on.frame({ type: 'conversation', conversation: { id: '5', version, state } as Summary })
    }
    expect(c.summaries.get('5')?.state).toBe('active')
    expect(told).toEqual(['waiting', 'active'])
  })

  it('what is gone does not come back by an older summary, and does not go by an older word', async () => {
    const c = client()
    c.start()
    await settle()
    const told = (version: number, state: string): void =>
      last().on.frame({ type: 'conversation', conversation: { id: '5', version, state } as Summary })
    last().on.frame({ type: 'gone', conversation: '5', version: 2 })
    told(1, 'waiting')
    expect(c.summaries.has('5')).toBe(false)
    told(4, 'active')
    last().on.frame({ type: 'gone', conversation: '5', version: 3 })
    expect(c.summaries.get('5')?.state).toBe('active')
  })

  it('keeps drafts over a reload', async () => {
    const store = memory()
    const key = client(store).send('5', '你好')
    const again = client(store)
    again.start()
    await settle()
    expect(last().sent).toContainEqual({ type: 'send', key, conversation: '5', text: '你好' })
    last().on.frame({ type: 'ack', key, conversation: '5', seq: 1, at: 1 })
    expect(store.map.size).toBe(0)
  })

  it('two tabs with one list: neither overwrites the other, what is settled or deleted is gone, a sign-out leaves nothing', async () => {
    const store = memory()
    const [one, two] = [client(store), client(store)]
    const keys = [one.send('5', 'of one'), two.send('5', 'of two'), one.send('5', 'more of one'), two.send('5', 'more of two')]
    const kept = (): string[] => client(store).outbox.entries.map(({ draft }) => draft.key)
    expect(kept().sort()).toEqual([...keys].sort())
    one.start()
    await settle()
    last().on.frame({ type: 'ack', key: keys[0]!, conversation: '5', seq: 1, at: 1 })
    two.discard(keys[1]!)
    one.send('5', 'last of one')
    expect(kept()).not.toContain(keys[0])
    expect(kept()).not.toContain(keys[1])
    expect(kept()).toHaveLength(3)
    one.forget()
    expect(store.map.size).toBe(0)
  })

  it('waits as told when refused for speed and lets nothing overtake', async () => {
    const c = client()
    c.start()
    await settle()
    const one = c.send('5', 'one')
    const two = c.send('5', 'two')
    last().on.frame({ type: 'error', code: 'rate_limited', message: 'slow', key: one, retry_after_ms: 3_000 })
    await settle(2_400)
    expect(last().drafts()).toEqual([one])
    await settle(1_200)
    expect(last().drafts()).toEqual([one, one])
    last().on.frame({ type: 'ack', key: one, conversation: '5', seq: 1, at: 1 })
    expect(last().drafts()).toEqual([one, one, two])
  })

  it('shows a blocked draft as failed, goes on with the next, and gives the text back', async () => {
    const c = client()
    c.start()
    await settle()
    const bad = c.send('5', 'bad')
    const good = c.send('5', 'good')
    last().on.frame({ type: 'error', code: 'blocked', message: 'not sent: x', key: bad })
    expect(c.thread('5').rows[0]).toMatchObject({ state: 'failed', error: 'blocked' })
    expect(last().drafts()).toEqual([bad, good])
    c.retry(bad)
    expect(c.thread('5').rows[0]).toMatchObject({ state: 'sending' })
    expect(c.discard(bad)).toBe('bad')
  })

  it('marks drafts failed after 30 s offline and sends them by itself later', async () => {
    const c = client()
    c.start()
    await settle()
    reach = { websocket: false, longpoll: false }
    last().on.down()
    const key = c.send('5', 'x')
    await settle(31_000)
    expect(c.thread('5').rows[0]).toMatchObject({ state: 'failed', error: 'offline' })
    reach = { websocket: true, longpoll: true }
    await settle(40_000)
    expect(last().drafts()).toContain(key)
    expect(c.thread('5').rows[0]).toMatchObject({ state: 'sending' })
  })
})

describe('connection', () => {
  it('falls back to long-poll at once when the upgrade fails, and climbs back', async () => {
    reach.websocket = false
    const c = client()
    c.start()
    await settle()
    expect(c.state).toBe('open')
    expect(c.carrier).toBe('longpoll')
    reach.websocket = true
    const poll = last()
    for (let s = 0; s < 70; s += 10) {
      await settle(10_000)
      if (c.carrier === 'longpoll') poll.on.frame({ type: 'pong' })
    }
    expect(c.carrier).toBe('websocket')
    expect(poll.closed).toBe(true)
    expect(poll.sent.at(-1)).toEqual({ type: 'bye' })
    last().on.frame({ type: 'event', event: message(1, 'hi') })
    expect(c.thread('5').rows.length).toBe(1)
  })

  it('falls back when sockets die young twice', async () => {
    const c = client()
    c.start()
    await settle()
    last().on.down()
    await settle(2_000)
    last().on.down()
    await settle(3_000)
    expect(c.carrier).toBe('longpoll')
  })

  it('leaves a silent peer after the idle timeout and pings before it', async () => {
    const c = client()
    c.start()
    await settle()
    await settle(22_000)
    expect(lines[0]!.sent.some((f) => f.type === 'ping')).toBe(true)
    await settle(26_000)
    expect(lines[0]!.closed).toBe(true)
    expect(lines.length).toBeGreaterThan(1)
  })

  it('stops when it does not speak the protocol, waits as told when draining', async () => {
    const c = client()
    const stopped: string[] = []
    c.on('stopped', (code) => stopped.push(code))
    c.start()
    await settle()
    last().on.frame({ type: 'bye', code: 'draining', reconnect_ms: 5_000 })
    await settle(4_900)
    expect(lines.length).toBe(1)
    await settle(1_000)
    expect(lines.length).toBe(2)
    last().on.frame({ type: 'bye', code: 'protocol' })
    await settle(60_000)
    expect(lines.length).toBe(2)
    expect(stopped).toEqual(['protocol'])
  })
})
