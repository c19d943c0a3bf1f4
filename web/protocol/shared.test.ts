// Several tabs on one connection: who connects, what the others hear, and what happens when the one that connects goes.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Client } from './client'
import type { ClientFrame, KefuEvent } from './frames'
import { LOCAL } from './outbox'
import type { Carrier, CarrierEvents, Hello, OpenCarrier } from './carrier'

interface Line extends Carrier { hello: Hello; on: CarrierEvents; sent: ClientFrame[]; closed: boolean }
let lines: Line[] = []
const carrier: OpenCarrier = (_base, hello, on) => {
  const line: Line = {
    kind: 'websocket', hello, on, sent: [], closed: false,
    send: (frame) => void line.sent.push(structuredClone(frame)),
    close: () => { line.closed = true },
  }
  lines.push(line)
  queueMicrotask(() => on.frame({
    type: 'welcome', protocol: 1, session: '1', you: { kind: 'visitor', id: '7' }, time: Date.now(),
    heartbeat_ms: 20_000, idle_timeout_ms: 45_000, version: 'x',
    limits: { text_bytes: 100, frame_bytes: 1000 }, conversations: [],
  }))
  return line
}
const tab = (): Client => new Client({
  base: 'http://x', client: 'test', storeName: 'outbox', share: 'kefu:demo', carriers: { websocket: carrier, longpoll: carrier },
})
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const open = (): Line[] => lines.filter((line) => !line.closed)
const hear = (seq: number, text: string): void => open()[0]!.on.frame({
  type: 'event',
  event: { conversation: '5', seq, at: seq, from: { kind: 'agent', id: '2' }, type: 'message', text } as KefuEvent,
})
const texts = (client: Client): unknown[] => client.thread('5').rows.map(({ body }) => 'text' in body && body.text)

/** Locks and channels as the browser has them: one holder, the next in line; everybody else hears. */
function browser(): void {
  const waiting: (() => void)[] = []
  let held = false
  const next = (): void => {
    held = waiting.length > 0
    waiting.shift()?.()
  }
  const locks = {
    request: (_name: string, { signal }: { signal: AbortSignal }, act: () => Promise<void>) =>
      new Promise<void>((done, fail) => {
        const run = (): void => void act().then(done).finally(next)
        if (!held) {
          held = true
          queueMicrotask(run)
        } else waiting.push(run)
        signal.addEventListener('abort', () => {
          const at = waiting.indexOf(run)
          if (at >= 0) waiting.splice(at, 1)
          fail(new Error('aborted'))
        })
      }),
  }
  const channels = new Set<{ onmessage?: (event: { data: unknown }) => void }>()
  class Channel {
    onmessage?: (event: { data: unknown }) => void
    constructor() { channels.add(this) }
    postMessage(note: unknown): void {
      const data = structuredClone(note)
      for (const other of channels) if (other !== this) queueMicrotask(() => other.onmessage?.({ data }))
    }
    close(): void {
      channels.delete(this)
      this.onmessage = undefined
    }
  }
  vi.stubGlobal('navigator', { locks })
  vi.stubGlobal('BroadcastChannel', Channel)
}

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  browser()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('one tab connects; the other gets what is known and what comes', async () => {
  const [one, two] = [tab(), tab()]
  one.start()
  await settle()
  hear(1, 'before')
  two.start()
  await settle()
  hear(2, 'after')
  await settle()
  expect(lines).toHaveLength(1)
  expect([one.state, two.state, one.leads, two.leads, two.carrier]).toEqual(['open', 'open', true, false, 'tab'])
  expect(texts(one)).toEqual(['before', 'after'])
  expect(texts(two)).toEqual(['before', 'after'])
})

it('a tab that does not lead opens and sends; its draft is its own, the message is everybody’s', async () => {
  const [one, two] = [tab(), tab()]
  one.start()
  two.start()
  await settle()
  const opened = two.open({ fields: {} })
  const key = two.send(LOCAL + opened, 'hi')
  await settle()
  lines[0]!.on.frame({ type: 'ack', key: opened, conversation: '5', seq: 1, at: 1 })
  await settle()
  lines[0]!.on.frame({ type: 'ack', key, conversation: '5', seq: 2, at: 2 })
  lines[0]!.on.frame({ type: 'event', event: {
    conversation: '5', seq: 2, at: 2, from: { kind: 'visitor', id: '7' }, key, type: 'message', text: 'hi',
  } })
  await settle()
  expect(lines[0]!.sent.filter((frame) => 'key' in frame).map((frame) => frame.type)).toEqual(['open', 'send'])
  expect(two.outbox.entries).toEqual([])
  expect(texts(one)).toEqual(['hi'])
  expect(two.thread('5').rows.map((row) => row.state)).toEqual(['sent'])
})

it('the next tab takes over, resumes, and a draft that was lost with the first goes out once more', async () => {
  const [one, two, three] = [tab(), tab(), tab()]
  for (const each of [one, two, three]) {
    each.start()
    await settle()
    each.follow('5')
  }
  hear(1, 'a')
  await settle()
  const key = three.send('5', 'unanswered')
  await settle()
  one.stop()
  await settle()
  expect(open()).toHaveLength(1)
  expect(two.leads).toBe(true)
  expect(open()[0]!.hello.resume).toEqual([{ conversation: '5', seq: 1 }])
  expect(open()[0]!.sent.filter((frame) => 'key' in frame && frame.key === key)).toHaveLength(1)
  hear(2, 'b')
  await settle()
  expect(texts(three)).toEqual(['a', 'b', 'unanswered'])
})

it('without locks each tab connects for itself', async () => {
  vi.stubGlobal('navigator', {})
  const [one, two] = [tab(), tab()]
  one.start()
  two.start()
  await settle()
  expect(lines).toHaveLength(2)
  expect([one.state, two.state]).toEqual(['open', 'open'])
})
