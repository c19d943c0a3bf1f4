// From rows to what is drawn: date rows, groups of one sender, centred lines, the state under the last own message.

import type { Row, Thread } from '../protocol/thread'
import { ALERT, CHECK, CHECKS, CLOCK } from './icons'
import { clock, fill, t, when } from './text'

export interface Foot { icon: string; text: string; failed?: boolean }

export interface Said {
  kind: 'message'; id: string; row: Row; mine: boolean; first: boolean; name: string; foot: Foot | undefined
}

export type Item = Said | { kind: 'time' | 'line' | 'new' | 'wait'; id: string; text: string }

const SILENCE_MS = 15 * 60_000
const GROUP_MS = 3 * 60_000

/** `fresh`: the first seq that had not been read when the panel opened; a line stands above it. */
export function items(thread: Thread, now: number, fresh = 0): Item[] {
  const list: Item[] = []
  const names: Record<string, string> = {}
  const lastOwn = thread.rows.findLast((row) => row.from.kind === 'visitor' && row.state !== 'failed')
  let before: Row | undefined
  let agent: string | undefined
  for (const row of thread.rows) {
    const { body, id, from, at } = row
    const line = (kind: 'time' | 'line' | 'new', text: string | undefined): unknown =>
      text && list.push({ kind, id: kind + id, text })
    if (fresh > 0 && row.seq === fresh) line('new', t.new_line)
    if (body.type === 'assigned') {
      names[body.agent] = body.name
      line('line', fill((agent ?? body.agent) === body.agent ? t.joined : t.talking_to, body.name))
      agent = body.agent
    } else if (body.type === 'message') {
      const since = at - (before?.at ?? 0)
      if (since > SILENCE_MS) line('time', when(at))
      const name = from.kind === 'agent' ? names[from.id] ?? t.agent : ''
      const first = list.at(-1)?.kind !== 'message' || since > GROUP_MS || party(before!) !== party(row)
      const mine = from.kind === 'visitor'
      const foot = mine ? state(row, row === lastOwn, thread, now) : undefined
      list.push({ kind: 'message', id, row, mine, first, name, foot })
      before = row
    } else line('line', happened(row))
  }
  return list
}

function party({ from }: Row): string {
  return from.kind === 'agent' ? from.id : from.kind
}

function happened({ body }: Row): string | undefined {
  switch (body.type) {
    case 'transferred': return body.to.kind === 'team' ? fill(t.to_team, body.name) : undefined
    case 'queued': return { agent_lost: t.agent_lost, agent_left: t.agent_left }[body.cause as 'agent_lost']
    case 'closed': return body.reason === 'left_queue' ? t.left_queue : t.ended
  }
  return undefined
}

function state(row: Row, last: boolean, thread: Thread, now: number): Foot | undefined {
  const { error, seq, retryAt = 0 } = row
  if (row.state === 'failed') {
    const words = { offline: t.failed_offline, too_large: t.failed_too_large, conflict: t.failed_closed }
    return { icon: ALERT, text: words[error as 'offline'] ?? t.failed, failed: true }
  }
  if (seq === undefined) {
    if (retryAt > now) return { icon: CLOCK, text: fill(t.wait_s, Math.ceil((retryAt - now) / 1000)) }
    return last ? { icon: CLOCK, text: now - row.at > 1_000 ? t.sending : '' } : undefined
  }
  if (!last) return undefined
  if (thread.read >= seq) return { icon: CHECKS, text: fill(t.read, clock(thread.readAt || row.at)) }
  return thread.delivered >= seq ? { icon: CHECKS, text: t.delivered } : { icon: CHECK, text: t.sent }
}
