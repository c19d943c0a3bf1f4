// One conversation as rows. An `ack` and its live event are the same row: merged by key, then by seq. Rows sort by
// seq, drafts not yet acknowledged come last in the order they were typed. Never by clock.

import type { Code, EventBody, Id, KefuEvent, Millis, Party } from './frames'

export type RowState = 'sending' | 'sent' | 'failed'

export interface Row {
  /** Stable for the life of the row: the key of an own draft, else `#seq`. */
  id: string
  key?: string | undefined
  /** Missing until the server numbered it. */
  seq?: number
  at: Millis
  from: Party
  body: EventBody
  state: RowState
  /** Why it failed: a refusal's code, or `offline`. */
  error?: Code | 'offline' | undefined
  /** The server's sentence about the failure, or why the text was changed. */
  reason?: string | undefined
  /** Earliest next try of a refused draft (local clock). */
  retryAt?: Millis | undefined
}

export class Thread {
  readonly rows: Row[] = []
  /** Highest seq up to which this client has every event it may see: where to resume. */
  cursor = 0
  /** Seq marks of the other side. */
  delivered = 0
  read = 0
  /** When `read` was told. */
  readAt = 0
  /** Own read mark. */
  seen = 0
  /** Own mark of delivery, as told. */
  told = 0

  constructor(readonly conversation: Id) {}

  /** Merges an event; answers its row, or `undefined` when it was known already. */
  apply(event: KefuEvent): Row | undefined {
    const known = this.find(event.key, event.seq)
    this.cursor = Math.max(this.cursor, event.seq)
    if (known) {
      const changed = known.seq === undefined || known.body.type !== event.type
      this.settle(known, event.seq, event.at)
      known.body = body(event)
      known.from = event.from
      return changed ? known : undefined
    }
    const row: Row = {
      id: event.key ?? `#${event.seq}`,
      seq: event.seq,
      at: event.at,
      from: event.from,
      body: body(event),
      state: 'sent',
      key: event.key,
    }
    this.insert(row)
    return row
  }

  /** Adds a draft as the last row. */
  draft(key: string, from: Party, body: EventBody, at: Millis): Row {
    const known = this.find(key)
    if (known) return known
    const row: Row = { id: key, key, at, from, state: 'sending', body }
    this.rows.push(row)
    return row
  }

  /** The server kept a draft. `cursor` stays: events before it may still be on their way. */
  ack(key: string, seq: number, at: Millis, text?: string, rules?: string[]): Row | undefined {
    const row = this.find(key)
    if (!row) return undefined
    this.settle(row, seq, at)
    if (text !== undefined && row.body.type === 'message') {
      row.body = { ...row.body, text, masked: true }
    }
    if (rules?.length) row.reason = rules.join(', ')
    return row
  }

  remove(key: string): void {
    const at = this.rows.findIndex((row) => row.key === key && row.seq === undefined)
    if (at >= 0) this.rows.splice(at, 1)
  }

  find(key?: string, seq?: number): Row | undefined {
    return this.rows.find((row) =>
      (key !== undefined && row.key === key) || (seq !== undefined && row.seq === seq))
  }

  /** Messages of the other side after the own read mark. */
  unread(mine: (from: Party) => boolean): number {
    return this.rows.filter((row) =>
      row.body.type === 'message' && (row.seq ?? 0) > this.seen && !mine(row.from)).length
  }

  private settle(row: Row, seq: number, at: Millis): void {
    if (row.seq === seq) return
    const twin = this.rows.findIndex((one) => one !== row && one.seq === seq)
    if (twin >= 0) this.rows.splice(twin, 1)
    this.rows.splice(this.rows.indexOf(row), 1)
    row.seq = seq
    row.at = at
    row.state = 'sent'
    delete row.error
    delete row.retryAt
    this.insert(row)
  }

  private insert(row: Row): void {
    const seq = row.seq ?? Infinity
    let at = this.rows.length
    while (at > 0 && (this.rows[at - 1]!.seq ?? Infinity) > seq) at -= 1
    this.rows.splice(at, 0, row)
  }
}

function body(event: KefuEvent): EventBody {
  const { conversation: _c, seq: _s, at: _a, from: _f, key: _k, ...rest } = event
  return rest as EventBody
}
