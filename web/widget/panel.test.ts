// @vitest-environment happy-dom
// The panel against a scripted server: what a visitor sees of refusals, news and signing out. Looks are in e2e/.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import en from '../i18n/widget.en.json'
import type { Panel } from './context'

type Frame = Record<string, unknown> & { type: string }
let socket: Line
let panel: Panel
let root: ShadowRoot
const unread = vi.fn()
const emit = vi.fn()

class Line {
  readonly readyState = 1
  sent: Frame[] = []
  onopen?: () => void
  onmessage?: (event: { data: string }) => void
  constructor() {
    socket = this
    queueMicrotask(() => this.onopen?.())
  }
  send(text: string): void {
    const frame = JSON.parse(text) as Frame
    this.sent.push(frame)
    if (frame.type === 'hello') {
      this.say({
        type: 'welcome', protocol: 1, session: '1', you: { kind: 'visitor', id: '7' }, time: Date.now(),
        heartbeat_ms: 20_000, idle_timeout_ms: 45_000, version: 'x',
        limits: { text_bytes: 8_000, frame_bytes: 65_536 }, conversations: [],
      })
    }
    if (frame.type === 'open') this.say({ type: 'ack', key: frame['key'], conversation: '5', seq: 1, at: Date.now() })
  }
  say(frame: Frame): void { queueMicrotask(() => this.onmessage?.({ data: JSON.stringify(frame) })) }
  event(seq: number, body: Frame): void {
    const from = { kind: 'agent', id: '2' }
    this.say({ type: 'event', event: { conversation: '5', seq, at: Date.now(), from, ...body } })
  }
  close(): void { /* nothing to tell */ }
}

const area = (tab?: boolean): Storage => (tab ? sessionStorage : localStorage)
const recall = (name: string, tab?: boolean): never => JSON.parse(area(tab).getItem(name) ?? 'null') as never
const remember = (name: string, value?: unknown, tab?: boolean): void => {
  if (value) area(tab).setItem(name, JSON.stringify(value))
  else area(tab).removeItem(name)
}
const settle = (ms = 50): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const box = (): HTMLTextAreaElement => root.querySelector('.composer textarea')!
const shown = (spec: string): HTMLElement[] => [...root.querySelectorAll<HTMLElement>(spec)]
async function write(text: string): Promise<void> {
  box().value = text
  box().dispatchEvent(new Event('input'))
  root.querySelector<HTMLElement>('.send')!.click()
  await settle()
}

beforeEach(async () => {
  vi.useFakeTimers()
  vi.stubGlobal('ResizeObserver', class { observe(): void { /* no layout here */ } })
  vi.stubGlobal('WebSocket', Line)
  vi.stubGlobal('visualViewport', new EventTarget())
  vi.stubGlobal('fetch', async () => Response.json({ token: 'x', expires_at: Date.now() + 1e10 }))
  localStorage.clear()
  sessionStorage.clear()
  const host = document.createElement('div')
  document.body.replaceChildren(host)
  root = host.attachShadow({ mode: 'open' })
  const launcher = document.createElement('button')
  root.append(launcher)
  // A panel is a module: each test has its own.
  vi.resetModules()
  const { default: create } = await import('./panel')
  panel = create({
    base: 'http://x', locale: () => 'en', words: async () => en, part: () => Promise.reject(), call: (path, more) => fetch(path, more),
    ask: () => Promise.reject(), recall, remember, dress: () => undefined, options: { site: 'demo', locale: 'en' }, host, root, launcher, emit, unread,
    toggle: (open) => (open ? panel.show(true) : panel.hide()),
    config: {
      site: { key: 'demo', name: 'Shop' }, enabled: true, color: '#000000', position: 'right', greeting: {},
      fields: [], online: true,
    },
  }, 'en', en)
  panel.show(true)
  await write('hello')
  socket.event(2, { type: 'assigned', agent: '2', name: 'Lin' })
  await settle()
})
afterEach(() => {
  panel.destroy(true)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('puts a blocked text back into the composer and says why', async () => {
  await write('something bad')
  const sends = socket.sent.filter((frame) => frame.type === 'send')
  socket.say({ type: 'ack', key: sends[0]!['key'], conversation: '5', seq: 3, at: Date.now() })
  await settle()
  const { key } = socket.sent.findLast((frame) => frame.type === 'send')!
  socket.say({ type: 'error', code: 'blocked', key, message: 'contains a forbidden word' })
  await settle()
  expect(box().value).toBe('something bad')
  expect(shown('.notice')[0]!.textContent).toBe('Not sent: contains a forbidden word')
  expect(shown('.mine .bubble').map((node) => node.textContent)).toEqual(['hello'])
})

it('keeps a file whose name is blocked on screen, as not sent', async () => {
  const { client } = await import('./session')
  const file = { id: '9', name: 'bad.pdf', type: 'application/pdf', size: 9, url: '/v1/files/x' }
  socket.say({ type: 'ack', key: socket.sent.findLast(({ type }) => type === 'send')!['key'],
    conversation: '5', seq: 3, at: Date.now() })
  await settle()
  const key = client.send('5', '', file)
  await settle(600)
  socket.say({ type: 'error', code: 'blocked', key, message: 'contains a forbidden word' })
  await settle()
  expect(shown('.failed').map((node) => node.textContent)).toEqual([expect.stringContaining('bad.pdf')])
  expect(shown('.bad .link').map((node) => node.textContent)).toEqual(['Retry', 'Delete'])
})

it('counts what comes while closed, and draws a line above it when opened', async () => {
  panel.hide()
  socket.event(3, { type: 'message', text: 'one' })
  socket.event(4, { type: 'message', text: 'two' })
  await settle()
  expect(unread).toHaveBeenLastCalledWith(2, 'two')
  panel.show(false)
  await settle()
  expect(unread).toHaveBeenLastCalledWith(0, 'two')
  const order = shown('.rows > *').map((node) => (node.className === 'new' ? 'New' : node.innerText))
  expect(order.indexOf('New')).toBeGreaterThan(0)
  expect(order.slice(order.indexOf('New')).join(' ')).toMatch(/one.*two/)
})

it('typing dies by itself after 6 s', async () => {
  socket.say({ type: 'typing', conversation: '5', from: { kind: 'agent', id: '2' }, on: true })
  await settle()
  expect(shown('.dots')).toHaveLength(1)
  await settle(7_100)
  expect(shown('.dots')).toHaveLength(0)
})

it('signing out leaves nothing in the store, not even later', async () => {
  box().value = 'half a sentence'
  box().dispatchEvent(new Event('input'))
  panel.destroy(true)
  localStorage.clear()
  sessionStorage.clear()
  await settle(2_000)
  expect([localStorage.length, sessionStorage.length]).toEqual([0, 0])
})
