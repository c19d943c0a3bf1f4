// What the list of conversations shows, computed from rows and marks. No state, no clock of its own.

import type { Summary } from '../../protocol/frames'
import type { Row } from '../../protocol/thread'

export type Tab = 'mine' | 'waiting' | 'all'

/** How long a visitor may wait for an answer before the clock turns red. */
export const REPLY_TARGET_MS = 120_000

/** Visitor messages after my read mark. */
export function unread(rows: readonly Row[], mark: number): number {
  let n = 0
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const row = rows[i]
    if (row?.seq === undefined) continue
    if (row.seq <= mark) break
    if (row.from.kind === 'visitor' && row.body.type === 'message') n += 1
  }
  return n
}

/** Since when the visitor waits for an answer: the first message after the last agent's; `undefined` if none does. */
export function unansweredSince(rows: readonly Row[]): number | undefined {
  let since: number | undefined
  for (const row of rows) {
    if (row.body.type === 'closed') since = undefined
    if (row.body.type !== 'message') continue
    if (row.from.kind === 'visitor') since ??= row.at
    else since = undefined
  }
  return since
}

export type Pressure = 'calm' | 'near' | 'over'

/** Colour of a reply clock: near at half the target, over at the target. */
export function pressure(waitedMs: number, target = REPLY_TARGET_MS): Pressure {
  if (waitedMs >= target) return 'over'
  return waitedMs >= target / 2 ? 'near' : 'calm'
}

/** The last thing said, for the preview line. */
export function lastSaid(rows: readonly Row[]): Row | undefined {
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const type = rows[i]?.body.type
    if (type === 'message' || type === 'note') return rows[i]
  }
  return undefined
}

/** Ids are decimal strings of one length order: longer is larger. */
export function byId(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

export interface Listed { summary: Summary; since: number | undefined }

/** Which conversations a tab holds. */
export function inTab(tab: Tab, summary: Summary, me: string): boolean {
  if (tab === 'waiting') return summary.state === 'waiting'
  if (tab === 'mine') return summary.state === 'active' && summary.agent === me
  return true
}

/** Mine: longest unanswered first, then latest; Waiting: priority, then queue order; All: latest first. */
export function order(tab: Tab): (a: Listed, b: Listed) => number {
  if (tab === 'waiting') {
    return (a, b) => (b.summary.priority ?? 0) - (a.summary.priority ?? 0)
      || a.summary.waiting_since - b.summary.waiting_since
      || byId(a.summary.id, b.summary.id)
  }
  if (tab === 'mine') {
    return (a, b) => {
      if (a.since !== undefined && b.since !== undefined) return a.since - b.since
      if (a.since !== undefined) return -1
      if (b.since !== undefined) return 1
      return byId(b.summary.id, a.summary.id)
    }
  }
  return (a, b) => byId(b.summary.id, a.summary.id)
}

/** Keeps `shown` in place while someone reads or aims: what left goes, what came is appended. */
export function frozen(shown: readonly string[], fresh: readonly string[]): string[] {
  const now = new Set(fresh)
  const kept = shown.filter((id) => now.has(id))
  const had = new Set(kept)
  return [...kept, ...fresh.filter((id) => !had.has(id))]
}
