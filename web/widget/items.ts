// From rows to what is drawn: date rows, groups of one sender, centred lines, the state under the last own message.

import type { Row, Thread } from '../protocol/thread'
import { clock, fill, t, when } from './text'

export type Item =
  | { kind: 'time' | 'line' | 'new' | 'wait'; id: string; text: string }
  | { kind: 'message'; id: string; row: Row; mine: boolean; first: boolean; name: string; foot?: Foot }

export interface Foot { icon: 'clock' | 'check' | 'checks' | 'alert'; text: string; actions?: boolean }

const SILENCE_MS = 15 * 60_000
const GROUP_MS = 3 * 60_000

/** `fresh`: the first seq that had not been read when the panel opened; a line stands above it. */
export function items(thread: Thread, isMe: (row: Row) => boolean, now: number, fresh = 0): Item[] {
  const list: Item[] = []
  const names = new Map<string, string>()
  const lastOwn = thread.rows.findLast((row) => isMe(row) && row.state !== 'failed')
  let before: Row | undefined
  let agent: string | undefined
  for (const row of thread.rows) {
    const { body, id } = row
    if (fresh > 0 && row.seq === fresh) list.push({ kind: 'new', id: 'new', text: t.new_line })
    if (body.type === 'assigned') {
      names.set(body.agent, body.name)
      const joined = agent === undefined || agent === body.agent
      agent = body.agent
      list.push({ kind: 'line', id, text: fill(joined ? t.joined : t.talking_to, body.name) })
    } else if (body.type === 'message') {
      if (!before || row.at - before.at > SILENCE_MS) {
        list.push({ kind: 'time', id: `t${id}`, text: when(row.at) })
      }
      const { from } = row
      const first = list.at(-1)?.kind !== 'message' || !before || row.at - before.at > GROUP_MS
        || before.from.kind !== from.kind || ('id' in from && from.id !== (before.from as typeof from).id)
      const mine = isMe(row)
      const name = from.kind === 'agent' ? names.get(from.id) ?? t.agent : ''
      const item: Item = { kind: 'message', id, row, mine, first, name }
      const foot = mine ? state(row, row === lastOwn, thread, now) : undefined
      if (foot) item.foot = foot
      list.push(item)
      before = row
    } else {
      const text = line(row)
      if (text) list.push({ kind: 'line', id, text })
    }
  }
  return list
}

function line({ body }: Row): string | undefined {
  if (body.type === 'transferred' && body.to.kind === 'team') return fill(t.to_team, body.name)
  if (body.type === 'queued' && body.cause === 'agent_lost') return t.agent_lost
  if (body.type === 'queued' && body.cause === 'agent_left') return t.agent_left
  if (body.type === 'closed') return body.reason === 'left_queue' ? t.left_queue : t.ended
  return undefined
}

function state(row: Row, last: boolean, thread: Thread, now: number): Foot | undefined {
  if (row.state === 'failed') {
    const text = row.error === 'offline' ? t.failed_offline
      : row.error === 'too_large' ? t.failed_too_large
        : row.error === 'conflict' ? t.failed_closed : t.failed
    return { icon: 'alert', text, actions: true }
  }
  if (row.state === 'sending' && row.retryAt !== undefined && row.retryAt > now) {
    return { icon: 'clock', text: fill(t.wait_s, Math.ceil((row.retryAt - now) / 1000)) }
  }
  if (!last) return undefined
  if (row.state === 'sending') {
    return { icon: 'clock', text: now - row.at > 1_000 ? t.sending : '' }
  }
  const seq = row.seq ?? Infinity
  if (thread.read >= seq) return { icon: 'checks', text: fill(t.read, clock(thread.readAt || row.at)) }
  if (thread.delivered >= seq) return { icon: 'checks', text: t.delivered }
  return { icon: 'check', text: t.sent }
}
