// From rows to what is drawn: date rows, groups of one sender, centred lines, the state under the last own message.

import type { Row, Thread } from '../protocol/index'
import type { Words } from './text'

export type Item =
  | { kind: 'time'; id: string; text: string }
  | { kind: 'line'; id: string; text: string }
  | { kind: 'message'; id: string; row: Row; mine: boolean; first: boolean; name: string; foot?: Foot }

export interface Foot { icon: 'clock' | 'check' | 'checks' | 'alert'; text: string; actions?: boolean }

const SILENCE_MS = 15 * 60_000
const GROUP_MS = 3 * 60_000

export function items(thread: Thread, isMe: (row: Row) => boolean, words: Words, now: number): Item[] {
  const list: Item[] = []
  const names = new Map<string, string>()
  const lastOwn = [...thread.rows].reverse().find((row) => isMe(row) && row.state !== 'failed')
  let before: Row | undefined
  let agent: string | undefined
  for (const row of thread.rows) {
    const { body } = row
    if (body.type === 'assigned') {
      names.set(body.agent, body.name)
      const key = agent === undefined || agent === body.agent ? 'joined' : 'talking_to'
      agent = body.agent
      list.push({ kind: 'line', id: row.id, text: words.t(key, { name: body.name }) })
    } else if (body.type === 'message') {
      if (!before || row.at - before.at > SILENCE_MS) {
        list.push({ kind: 'time', id: `t${row.id}`, text: words.when(row.at) })
      }
      const first = list.at(-1)?.kind !== 'message' || !before || row.at - before.at > GROUP_MS
        || JSON.stringify(before.from) !== JSON.stringify(row.from)
      const mine = isMe(row)
      const name = row.from.kind === 'agent' ? names.get(row.from.id) ?? words.t('agent') : ''
      const item: Item = { kind: 'message', id: row.id, row, mine, first, name }
      const foot = mine ? state(row, row === lastOwn, thread, words, now) : undefined
      if (foot) item.foot = foot
      list.push(item)
      before = row
    } else {
      const text = line(row, words)
      if (text) list.push({ kind: 'line', id: row.id, text })
    }
  }
  return list
}

function line({ body }: Row, words: Words): string | undefined {
  if (body.type === 'transferred' && body.to.kind === 'team') return words.t('to_team', { name: body.name })
  if (body.type === 'queued' && body.cause === 'agent_lost') return words.t('agent_lost')
  if (body.type === 'queued' && body.cause === 'agent_left') return words.t('agent_left')
  if (body.type === 'closed') return words.t(body.reason === 'left_queue' ? 'left_queue' : 'ended')
  return undefined
}

function state(row: Row, last: boolean, thread: Thread, words: Words, now: number): Foot | undefined {
  if (row.state === 'failed') {
    const why = row.error === 'offline' ? 'failed_offline'
      : row.error === 'blocked' ? 'failed_blocked'
        : row.error === 'too_large' ? 'failed_too_large'
          : row.error === 'conflict' ? 'failed_closed' : 'failed'
    return { icon: 'alert', text: words.t(why), actions: true }
  }
  if (row.state === 'sending' && row.retryAt !== undefined && row.retryAt > now) {
    return { icon: 'clock', text: words.t('wait_s', { n: Math.ceil((row.retryAt - now) / 1000) }) }
  }
  if (!last) return undefined
  if (row.state === 'sending') {
    return { icon: 'clock', text: now - row.at > 1_000 ? words.t('sending') : '' }
  }
  const seq = row.seq ?? Infinity
  if (thread.read >= seq) return { icon: 'checks', text: words.t('read') }
  if (thread.delivered >= seq) return { icon: 'checks', text: words.t('delivered') }
  return { icon: 'check', text: words.t('sent') }
}
