// What only an agent does: note, take, transfer, follow others, set a status.

import { Client, ME, newKey } from './client'
import type { Id, KefuEvent, Party, ServerFrame, Status, Target } from './frames'
import type { Entry } from './outbox'

export class AgentClient extends Client {
  /** What is gone from the lists, and by which version. */
  private readonly left = new Map<Id, number>()

  note(conversation: Id, text: string): string {
    return this.enqueue({ type: 'send', key: newKey(), conversation, text, note: true })
  }

  transfer(conversation: Id, to: Target, note?: string): string {
    const more = note ? { note } : {}
    return this.enqueue({ type: 'transfer', key: newKey(), conversation, to, ...more })
  }

  take(conversation: Id): string {
    return this.enqueue({ type: 'take', key: newKey(), conversation })
  }

  /** Drafts that another page left behind unsent. */
  adopt(entries: Entry[]): void {
    for (const entry of entries) {
      if (this.outbox.find(entry.draft.key)) continue
      this.outbox.entries.push(entry)
      this.show(entry)
    }
    this.outbox.entries.sort((a, b) => a.at - b.at)
    this.outbox.save()
  }

  setStatus(status: Status): boolean {
    return this.say({ type: 'status', status })
  }

  unfollow(conversation: Id): void {
    this.following.delete(conversation)
    this.say({ type: 'unfollow', conversation })
  }

  /** Older events fetched over HTTP. */
  insert(events: KefuEvent[]): void {
    for (const event of events) this.event(event)
  }

  protected override hear(frame: ServerFrame): void {
    switch (frame.type) {
      case 'welcome':
        for (const { rows } of this.threads.values()) {
          for (const row of rows) if (row.from === ME) row.from = frame.you as Party
        }
        return super.hear(frame)
      case 'conversation': {
        // Two nodes tell of two changes in any order.
        const { id, version } = frame.conversation
        const known = this.summaries.get(id)?.version ?? this.left.get(id) ?? 0
        if (known <= version) super.hear(frame)
        return
      }
      case 'gone': {
        const { conversation, version } = frame
        if ((this.summaries.get(conversation)?.version ?? 0) > version) return
        this.left.set(conversation, version)
        this.summaries.delete(conversation)
        this.positions.delete(conversation)
        return this.emit('gone', conversation)
      }
      case 'report': return this.emit('report', frame.report)
      case 'outages': return this.emit('outages', frame.outages)
      case 'me':
        this.you = frame.you
        return this.emit('me', frame.you)
      default: super.hear(frame)
    }
  }
}
