// Long-poll carrier: posts carry commands, a parked GET carries events. Commands of one tick go in one post; the posts
// follow each other so that order holds. The cursor sent back is what acknowledges events.

import type { Code, ClientFrame, ServerFrame } from './frames'
import type { Carrier, CarrierEvents, Hello } from './carrier'

const WAIT_MS = 25_000
const ANSWER_MS = 15_000
const MOST_FRAMES = 32
const COMMANDS = '/v1/commands'

interface Answer { frames?: ServerFrame[]; cursor?: string; next_ms?: number }
/** What the server says of a request it refuses; only `status` from anything else on the way, nothing when cut off. */
interface Refusal { status?: number; code?: Code; message?: string; retry_after_ms?: number }

export function openLongPoll(base: string, hello: Hello, on: CarrierEvents): Carrier {
  const abort = new AbortController()
  const queue: ClientFrame[] = []
  let session: string | undefined
  let cursor = hello.resume.map((point) => `${point.conversation}:${point.seq}`).join(',')
  let posting = false

  const request = (path: string, body?: object, more: RequestInit = { signal: abort.signal }): Promise<Response> =>
    fetch(new URL(path, base), {
      method: body ? 'POST' : 'GET',
      headers: {
        'content-type': 'application/json', ...(hello.token ? { authorization: `Bearer ${hello.token}` } : {}),
      },
      body: body ? JSON.stringify(body) : null,
      credentials: hello.token ? 'omit' : 'same-origin',
      cache: 'no-store',
      ...more,
    })

  async function call(path: string, most: number, body?: object): Promise<Answer> {
    const timer = setTimeout(() => abort.abort(), most)
    const response = await request(path, body).finally(() => clearTimeout(timer))
    const answer = await response.json().catch(() => ({})) as Answer & { error?: Refusal }
    if (!response.ok) throw { status: response.status, ...answer.error }
    answer.frames?.forEach(on.frame)
    return answer
  }

  const down = ({ status, retry_after_ms: wait }: Refusal): void => {
    abort.abort()
    if (status === 401) on.frame({ type: 'bye', code: 'unauthorized' })
    on.down(wait)
  }

  async function post(): Promise<void> {
    if (posting || !session) return
    posting = true
    while (queue.length > 0) {
      const frames = queue.splice(0, MOST_FRAMES)
      try {
        await call(COMMANDS, ANSWER_MS, { session, frames })
      } catch (error) {
        const { status, code, message = '', ...more } = error as Refusal
        if (!code || status === 401 || status === 404) return down(error as Refusal)
        // A post refused as a whole for speed or state answers each of its commands; the session lives on.
        for (const frame of frames) {
          if ('key' in frame) on.frame({ type: 'error', code, message, key: frame.key, ...more })
        }
      }
    }
    posting = false
  }

  async function live(): Promise<void> {
    const { frames } = await call(COMMANDS, ANSWER_MS, { frames: [hello] })
    const welcome = frames?.find((frame) => frame.type === 'welcome')
    if (!welcome) throw new Error('no welcome')
    session = welcome.session
    void post()
    for (;;) {
      const answer = await call(`/v1/events?session=${session}&cursor=${cursor}&wait=${WAIT_MS}`, WAIT_MS + 10_000)
      cursor = answer.cursor ?? cursor
      // An answer to a poll is a sign of life, whatever it carried.
      on.frame({ type: 'pong' })
      await new Promise((done) => setTimeout(done, answer.next_ms ?? 0))
    }
  }

  live().catch(down)

  return {
    kind: 'longpoll',
    send(frame) {
      // Polls are the heartbeat.
      if (/^p[io]ng$/.test(frame.type)) return
      // At once, even while the page goes away: whoever says bye closes next.
      if (frame.type === 'bye') {
        if (session) void request(COMMANDS, { session, frames: [frame] }, { keepalive: true }).catch(() => undefined)
        return
      }
      queue.push(frame)
      queueMicrotask(() => void post())
    },
    // No bye: who only reconnects keeps what it has, an agent its grace period.
    close: () => abort.abort(),
  }
}
