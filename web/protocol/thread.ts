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
  /** The server's sentence about the failure. */
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

  /** By id, and by `#seq` once numbered. */
  private readonly known = new Map<string | undefined, Row>()

  constructor(readonly conversation: Id) {}

  /** Merges an event; answers its row, or `undefined` when it was known already. */
  apply(event: KefuEvent): Row | undefined {
    const { key, seq, at, from, type } = event
    const row = this.find(key, seq) ?? this.draft(key, from, event, at, `#${seq}`)
    const changed = row.seq === undefined || row.body.type !== type
    this.cursor = Math.max(this.cursor, seq)
    this.settle(row, seq, at)
    row.body = event
    row.from = from
    return changed ? row : undefined
  }

  /** Adds a draft as the last row. */
  draft(key: string | undefined, from: Party, body: EventBody, at: Millis, id = ''): Row {
    return this.find(key) ?? this.add({ id: key ?? id, key, at, from, state: 'sending', body })
  }

  add(row: Row): Row {
    this.rows.push(row)
    this.known.set(row.id, row)
    return row
  }

  /** The server kept a draft. `cursor` stays: events before it may still be on their way. */
  ack(key: string, seq: number, at: Millis, text?: string): Row | undefined {
    const row = this.find(key)
    if (!row) return undefined
    this.settle(row, seq, at)
    if (text !== undefined && row.body.type === 'message') {
      row.body = { ...row.body, text, masked: true }
    }
    return row
  }

  remove(key: string): void {
    const row = this.find(key)
    if (row?.seq === undefined) this.drop(row)
  }

  find(key?: string, seq?: number): Row | undefined {
    return this.known.get(key) ?? this.known.get(`#${seq}`)
  }

  /** Messages of the other side after the own read mark. */
  unread(mine: (from: Party) => boolean): number {
    return this.rows.filter((row) =>
      row.body.type === 'message' && (row.seq ?? 0) > this.seen && !mine(row.from)).length
  }

  private settle(row: Row, seq: number, at: Millis): void {
    if (row.seq === seq) return
    this.drop(this.find(undefined, seq))
    this.drop(row)
    Object.assign(row, { seq, at, state: 'sent', error: undefined, retryAt: undefined })
    // Drafts have no number and stay behind.
    this.rows.splice(this.rows.findLastIndex((one) => one.seq! < seq) + 1, 0, row)
    this.known.set(row.id, row).set(`#${seq}`, row)
  }

  private drop(row?: Row): void {
    const at = this.rows.lastIndexOf(row!)
    if (at < 0) return
    this.rows.splice(at, 1)
    this.known.delete(row!.id)
  }
}
