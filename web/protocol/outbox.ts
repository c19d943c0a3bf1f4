// Drafts that the server has not acknowledged. Kept in storage on every change, so a reload goes on sending. One draft
// per conversation is on the wire at a time: a refusal for speed never lets a later one overtake.

import type { Draft, FileInfo, Id } from './frames'

/** Where drafts survive a reload; it may forget them. */
export interface Store {
  get(name: string): Entry[] | undefined
  /** Nothing removes them. */
  set(name: string, entries?: Entry[]): void
}

export interface Entry {
  draft: Draft
  /** When it was typed (local clock). */
  at: number
  /** Earliest next try (local clock). */
  notBefore: number
  /** When it went out on the present connection; 0: it did not. */
  sentAt: number
  /** What a `send` shows of the file it names. */
  file?: FileInfo | undefined
  /** Refused for good: stays until retried or deleted. */
  failed?: { code: string; message: string }
}

/** A conversation that does not exist yet: the key of the draft that opens it. */
export const LOCAL = 'local:'

export function lane(draft: Draft): Id {
  return draft.type === 'open' ? LOCAL + draft.key : draft.conversation
}

export class Outbox {
  entries: Entry[]

  constructor(private readonly store: Store | undefined, readonly name: string) {
    this.entries = store?.get(name) ?? []
  }

  add(draft: Draft, now: number, file?: FileInfo): Entry {
    const entry: Entry = { draft, at: now, notBefore: 0, sentAt: 0, file }
    this.entries.push(entry)
    this.save()
    return entry
  }

  find(key?: string): Entry | undefined {
    return this.entries.find((entry) => entry.draft.key === key)
  }

  remove(key: string): Entry | undefined {
    const at = this.entries.findIndex((entry) => entry.draft.key === key)
    const [entry] = at < 0 ? [] : this.entries.splice(at, 1)
    this.save(key)
    return entry
  }

  /** What may go out now, in order: the first living entry of each lane, unless it is on the wire. */
  due(now: number, ackTimeout: number): Entry[] {
    const lanes = new Set<Id>()
    return this.entries.filter(({ draft, failed, notBefore, sentAt }) => {
      const of = lane(draft)
      if (failed || lanes.has(of)) return false
      lanes.add(of)
      return (draft.type === 'open' || !of.startsWith(LOCAL)) && notBefore <= now && sentAt + ackTimeout <= now
    })
  }

  /** A new connection: nothing is on the wire any more. */
  rewind(): void {
    for (const entry of this.entries) entry.sentAt = 0
  }

  /** The opened conversation has an id now. */
  rename(from: Id, to: Id): void {
    for (const { draft } of this.entries) {
      if (draft.type !== 'open' && draft.conversation === from) draft.conversation = to
    }
    this.save()
  }

  /** What other tabs wrote into the same list stays in it, but for `gone`. */
  save(gone?: string): void {
    const others = this.store?.get(this.name)?.filter(({ draft: { key } }) => key !== gone && !this.find(key)) ?? []
    this.write([...others, ...this.entries])
  }

  clear(): void {
    this.write(this.entries = [])
  }

  private write(all: Entry[]): void {
    this.store?.set(this.name, all[0] && all)
  }
}
