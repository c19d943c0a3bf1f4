// The long-poll carrier says bye when it is told to, and not by closing: an agent that only reconnects keeps its
// grace period.
import { afterEach, expect, it, vi } from 'vitest'
import { openLongPoll } from './longpoll'

const hello = { type: 'hello' as const, protocol: 1 as const, token: 't', resume: [], client: 'test' }
const bodies = (fetched: ReturnType<typeof vi.fn>): string[] =>
  fetched.mock.calls.map(([, init]) => String((init as RequestInit).body))

async function connected() {
  const welcome = { frames: [{ type: 'welcome', session: '9' }] }
  const fetched = vi.fn((url: URL, init: RequestInit) => {
    if (url.pathname !== '/v1/events') return Promise.resolve(new Response(JSON.stringify(welcome)))
    return new Promise<Response>((_, fail) => init.signal?.addEventListener('abort', () => fail(new Error('aborted'))))
  })
  vi.stubGlobal('fetch', fetched)
  const carrier = openLongPoll('http://x', hello, { frame() {}, down() {} })
  await vi.waitFor(() => expect(fetched.mock.calls.some(([url]) => url.pathname === '/v1/events')).toBe(true))
  return { carrier, fetched }
}

afterEach(() => vi.unstubAllGlobals())

it('closes without a bye', async () => {
  const { carrier, fetched } = await connected()
  carrier.close()
  expect(bodies(fetched).some((body) => body.includes('bye'))).toBe(false)
})

it('says bye at once, however soon it is closed', async () => {
  const { carrier, fetched } = await connected()
  carrier.send({ type: 'bye' })
  carrier.close()
  const [, init] = fetched.mock.calls.at(-1)!
  expect(JSON.parse(String(init.body))).toEqual({ session: '9', frames: [{ type: 'bye' }] })
  expect(init.keepalive && !init.signal).toBe(true)
})
