// Long-poll carrier: posts carry commands, a parked GET carries events. Commands of one tick go in one post; the posts
// follow each other so that order holds. The cursor sent back is what acknowledges events.

import { isFrame } from './frames'
import type { ClientFrame, ServerFrame } from './frames'
import type { Carrier, CarrierEvents, Hello } from './carrier'

const WAIT_MS = 25_000
const MOST_FRAMES = 32

interface Answer { frames?: unknown; cursor?: string; next_ms?: number }

class Refused extends Error {
  constructor(readonly status: number, readonly code: string, readonly retryAfterMs?: number) {
    super(`${status} ${code}`)
  }
}

export function openLongPoll(base: string, hello: Hello, on: CarrierEvents): Carrier {
  const abort = new AbortController()
  const queue: ClientFrame[] = []
  let session: string | undefined
  let cursor = hello.resume.map((r) => `${r.conversation}:${r.seq}`).join(',')
  let posting = false
  let dead = false

  const down = (error: unknown): void => {
    if (dead) return
    dead = true
    abort.abort()
    if (error instanceof Refused && error.status === 401) {
      on.frame({ type: 'bye', code: 'unauthorized' })
    }
    on.down(String(error), error instanceof Refused ? error.retryAfterMs : undefined)
  }

  async function call(path: string, body: unknown, timeoutMs: number): Promise<Answer> {
    const headers: Record<string, string> = {}
    if (hello.token) headers['authorization'] = `Bearer ${hello.token}`
    if (body) headers['content-type'] = 'application/json'
    const timer = setTimeout(() => down(new Error('no answer')), timeoutMs)
    const response = await fetch(new URL(path, base), {
      method: body ? 'POST' : 'GET',
      headers,
      body: body ? JSON.stringify(body) : null,
      credentials: hello.token ? 'omit' : 'same-origin',
      cache: 'no-store',
      signal: abort.signal,
    }).finally(() => clearTimeout(timer))
    const answer: unknown = await response.json().catch(() => ({}))
    if (response.ok) return answer as Answer
    const error = (answer as { error?: { code?: string; retry_after_ms?: number } }).error
    throw new Refused(response.status, error?.code ?? 'unavailable', error?.retry_after_ms)
  }

  function deliver(answer: Answer): void {
    const frames: unknown[] = Array.isArray(answer.frames) ? answer.frames : []
    for (const frame of frames) if (!dead && isFrame(frame)) on.frame(frame)
  }

  async function post(): Promise<void> {
    if (posting || dead || session === undefined) return
    posting = true
    while (queue.length > 0 && !dead) {
      const frames = queue.splice(0, MOST_FRAMES)
      try {
        deliver(await call('/v1/commands', { session, frames }, 15_000))
      } catch (error) {
        if (!refuse(error, frames)) return down(error)
      }
    }
    posting = false
  }

  // A post refused as a whole for speed or state is an answer to each of its commands, not the end of the session.
  function refuse(error: unknown, frames: ClientFrame[]): boolean {
    if (!(error instanceof Refused) || error.status === 401 || error.status === 404) return false
    if (error.status >= 500 && error.code !== 'unavailable') return false
    for (const frame of frames) {
      if (!('key' in frame)) continue
      const answer: ServerFrame = {
        type: 'error', code: error.code as 'unavailable', message: error.message, key: frame.key,
      }
      if (error.retryAfterMs !== undefined) answer.retry_after_ms = error.retryAfterMs
      on.frame(answer)
    }
    return true
  }

  async function poll(): Promise<void> {
    while (!dead) {
      const path = `/v1/events?session=${encodeURIComponent(session ?? '')}`
        + `&cursor=${encodeURIComponent(cursor)}&wait=${WAIT_MS}`
      const answer = await call(path, undefined, WAIT_MS + 10_000)
      deliver(answer)
      if (answer.cursor !== undefined) cursor = answer.cursor
      // An answer to a poll is a sign of life, whatever it carried.
      if (!dead) on.frame({ type: 'pong' })
      await new Promise((done) => setTimeout(done, answer.next_ms ?? 0))
    }
  }

  void (async () => {
    try {
      const answer = await call('/v1/commands', { frames: [hello] }, 15_000)
      const frames: unknown[] = Array.isArray(answer.frames) ? answer.frames : []
      const welcome = frames.find((f) => isFrame(f) && f.type === 'welcome')
      if (!welcome) throw new Error('no welcome')
      session = (welcome as { session: string }).session
      deliver(answer)
      void post()
      await poll()
    } catch (error) {
      down(error)
    }
  })()

  return {
    kind: 'longpoll',
    send(frame) {
      if (dead || frame.type === 'ping' || frame.type === 'pong') return
      queue.push(frame)
      queueMicrotask(() => void post())
    },
    close() {
      if (dead) return
      dead = true
      abort.abort()
      if (session === undefined) return
      const headers: Record<string, string> = { 'content-type': 'application/json' }
      if (hello.token) headers['authorization'] = `Bearer ${hello.token}`
      const body = JSON.stringify({ session, frames: [{ type: 'bye' }] })
      void fetch(new URL('/v1/commands', base), { method: 'POST', headers, body, keepalive: true })
        .catch(() => undefined)
    },
  }
}
