// The live desk: one protocol client, and what the views read of it. The client keeps plain objects; `pulse` says that
// something in them changed, at most once per frame.

import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowRef } from 'vue'

import { Client } from '../../protocol'
import type {
  ByeCode, FileInfo, KefuEvent, Outage, Row, Status, Summary, Target,
} from '../../protocol'
import { api } from '../lib/api'
import { inTab, lastSaid, order, unansweredSince, unread } from '../lib/desk'
import type { Listed, Tab } from '../lib/desk'
import { inherit, kept } from '../lib/kept'
import type { Report } from '../lib/types'
import { useSession } from './session'

const TYPING_MS = 6_000
/** The server says every 5 s what is out, for as long as it is. */
const OUTAGE_MS = 20_000
/** How long it is told that something is back. */
const RECOVERED_MS = 300_000
const READS = 'kefu.console.reads'
const MOST_FOLLOWED = 60
const PAGE = 500
const LIST_PAGE = 100
/** So many events from the end of a conversation hold its last words, as a rule. */
const TAIL = 20
/** The last words of a conversation that nobody follows are asked for again so often. */
const TAIL_MS = 4_000

/** What was said, as the list shows it. */
export type Said = Pick<Row, 'at' | 'from' | 'body'>
interface Recovered { part: Outage['part']; lasted: number; at: number }
interface Tail { version: number; asked: number; said: Said | undefined; failed: boolean }
interface Found { conversations: Summary[]; next: string | null; total: number }
export type Heard = (event: KefuEvent, summary: Summary | undefined) => void

export const useDesk = defineStore('desk', () => {
  const session = useSession()
  const client = shallowRef<Client>()
  const pulse = ref(0)
  const now = ref(Date.now())
  const state = ref<'connecting' | 'open' | 'reconnecting' | 'stopped' | 'idle'>('idle')
  const lostAt = ref(0)
  const stopped = ref<ByeCode>()
  const welcomed = ref(false)
  const listState = ref<'loading' | 'ready' | 'failed'>('loading')
  /** Where the list goes on; null: it is whole. */
  const next = ref<string | null>(null)
  const loadingMore = ref(false)
  /** How many the server has beyond those that were loaded. */
  const beyond = ref(0)
  /** The server was replaced by another version since this page was loaded. */
  const stale = ref(false)
  let version = ''
  /** What happened before is history, not news. */
  let newsFrom = Infinity
  const typing = reactive(new Map<string, number>())
  const reads = reactive(readMarks())
  const flagged = reactive(new Set<string>())
  const reports = reactive(new Map<string, Report>())
  /** What the server does without, and when it said so. */
  const outages = shallowRef<Outage[]>([])
  let outagesAt = 0
  /** What was out and is back, until it is old or was seen. */
  const recovered = shallowRef<Recovered[]>([])
  const busy = reactive(new Map<string, 'take' | 'close' | 'transfer'>())
  const errors = ref<{ code: string; message: string; conversation?: string; at: number }>()
  const extra = new Map<string, Summary>()
  const followed = new Set<string>()
  const pending = new Map<string, string>()
  /** The last words of conversations whose threads are not here. */
  const tails = new Map<string, Tail>()
  const heard = new Set<Heard>()
  let beat = false
  let disown = (): void => undefined

  function touch(): void {
    if (beat) return
    beat = true
    setTimeout(() => {
      beat = false
      pulse.value += 1
    }, 16)
  }
  setInterval(() => {
    now.value = Date.now()
    if (outages.value.length > 0 && now.value - outagesAt > OUTAGE_MS) outages.value = []
    if (recovered.value.some((one) => now.value - one.at > RECOVERED_MS)) recovered.value = []
    for (const [id, until] of typing) if (until < now.value) typing.delete(id)
  }, 1000)

  function start(): void {
    const me = session.me
    if (!me || client.value) return
    const one = new Client({
      base: location.origin,
      client: 'kefu-console/0.1',
      storeName: `kefu.console.${me.id}:outbox`,
      store: kept,
    })
    listen(one)
    client.value = one
    disown = inherit(one, one.outbox.name)
    one.start()
    void loadList()
  }

  function listen(one: Client): void {
    one.on('state', (next) => {
      state.value = next
      if (next === 'open') lostAt.value = 0
      else if (next === 'reconnecting') lostAt.value ||= Date.now()
    })
    one.on('welcome', (frame) => {
      welcomed.value = true
      stale.value ||= version !== '' && version !== frame.version
      version = frame.version
      newsFrom = Math.min(newsFrom, frame.time)
      // What was followed while the connection was still opening has not been heard.
      for (const id of followed) one.follow(id)
      if (session.me && frame.you.status) session.me.status = frame.you.status
    })
    one.on('me', (you) => {
      if (session.me && you.status) session.me.status = you.status
    })
    one.on('conversation', (summary) => {
      extra.set(summary.id, summary)
      tend(summary)
      touch()
    })
    one.on('gone', (id) => {
      const known = extra.get(id)
      if (!session.may('supervisor') && known?.state === 'waiting') extra.delete(id)
      touch()
    })
    one.on('row', touch)
    one.on('removed', touch)
    one.on('seen', touch)
    one.on('event', hear)
    one.on('ack', (ack) => settle(ack.key))
    one.on('error', (failure) => {
      if (failure.key) settle(failure.key)
      // We followed what waited, and another agent was quicker: no news to whoever sits here.
      if (!failure.key && failure.code === 'not_found' && failure.conversation) {
        followed.delete(failure.conversation)
        return
      }
      const sends = failure.key && one.outbox.find(failure.key)?.draft.type === 'send'
      if (!sends) errors.value = { ...failure, at: Date.now() }
    })
    one.on('typing', (frame) => {
      if (frame.on) typing.set(frame.conversation, Date.now() + TYPING_MS)
      else typing.delete(frame.conversation)
    })
    one.on('report', (report) => {
      const one = report as Report
      reports.set(one.conversation, one)
    })
    one.on('outages', (all) => {
      const at = Date.now()
      const out = (part: Outage['part']): boolean => all.some((other) => other.part === part)
      const back = outages.value.filter(({ part }) => !out(part))
        .map(({ part, since }) => ({ part, lasted: at + one.skew - since, at }))
      const known = recovered.value.filter(({ part }) => !out(part) && back.every((other) => other.part !== part))
      recovered.value = [...known, ...back]
      outages.value = all
      outagesAt = at
    })
    one.on('stopped', (code) => {
      stopped.value = code
      if (code === 'unauthorized') session.lose()
    })
  }

  function hear(event: KefuEvent): void {
    if (event.type === 'message') typing.delete(event.conversation)
    touch()
    if (event.at < newsFrom) return
    for (const one of heard) one(event, extra.get(event.conversation))
  }

  function settle(key: string): void {
    const id = pending.get(key)
    pending.delete(key)
    if (id) busy.delete(id)
  }

  // Mine and what waits is followed from the start of its thread, so that previews and unread counts are whole.
  function tend(summary: Summary): void {
    const wanted = summary.state === 'waiting' || summary.agent === session.me?.id
    if (summary.state === 'closed' || !wanted || followed.size >= MOST_FOLLOWED) return
    follow(summary.id)
  }

  function follow(id: string): void {
    if (followed.has(id)) return
    followed.add(id)
    client.value?.follow(id)
  }

  async function loadList(): Promise<void> {
    if (extra.size === 0) listState.value = 'loading'
    try {
      await page(null)
      listState.value = 'ready'
    } catch {
      listState.value = extra.size > 0 ? 'ready' : 'failed'
    }
    touch()
  }

  async function page(before: string | null): Promise<void> {
    const path = `/v1/conversations?limit=${LIST_PAGE}${before ? `&before=${before}` : ''}`
    const found = await api.get<Found>(path)
    for (const one of found.conversations) {
      const known = extra.get(one.id)
      if (!known || known.version < one.version) extra.set(one.id, one)
      tend(one)
    }
    next.value = found.next
    const left = before ? beyond.value : found.total
    beyond.value = found.next === null ? 0 : Math.max(0, left - found.conversations.length)
  }

  /** Older ones; where that fails it may be asked again. */
  async function loadMore(): Promise<void> {
    if (next.value === null || loadingMore.value) return
    loadingMore.value = true
    try {
      await page(next.value)
      touch()
    } catch {
      // The list says that there is more, and asks again.
    }
    loadingMore.value = false
  }

  /** Asks for the last words of these, where no thread of theirs is here. */
  function peek(ids: readonly string[]): void {
    for (const id of ids) void peekOne(id)
  }

  async function peekOne(id: string): Promise<void> {
    const one = extra.get(id)
    if (!one || followed.has(id)) return
    const known = tails.get(id)
    const changes = one.state !== 'closed' || known?.failed
    const fresh = known && known.version === one.version
    if (fresh && !(changes && Date.now() - known.asked > TAIL_MS)) return
    const tail: Tail = { version: one.version, asked: Date.now(), said: known?.said, failed: false }
    tails.set(id, tail)
    try {
      const path = `/v1/conversations/${id}/events?after=${Math.max(0, (one.head ?? 0) - TAIL)}`
      const { events } = await api.get<{ events: KefuEvent[] }>(path)
      const said = events.findLast(({ type }) => type === 'message' || type === 'note')
      tail.said = said && { at: said.at, from: said.from, body: said }
      touch()
    } catch {
      tail.failed = true
    }
  }

  async function open(id: string): Promise<void> {
    if (!extra.has(id)) {
      const { conversation } = await api.get<{ conversation: Summary }>(`/v1/conversations/${id}`)
      extra.set(id, conversation)
      touch()
    }
    const thread = client.value?.thread(id)
    // What is followed already is whole; else page by page, so that a long thread opens without a connection too.
    for (let page = PAGE; thread && page === PAGE && thread.cursor < headOf(id);) {
      const path = `/v1/conversations/${id}/events?limit=${PAGE}&after=${thread.cursor}`
      const { events } = await api.get<{ events: KefuEvent[] }>(path)
      client.value?.insert(events)
      page = events.length
    }
    follow(id)
  }

  const summaries = computed(() => (pulse.value, [...extra.values()]))
  const summary = (id: string): Summary | undefined => (pulse.value, extra.get(id))
  /** The rows as the client keeps them: read at every pulse, never held. */
  const rows = (id: string): readonly Row[] =>
    (pulse.value, client.value?.threads.get(id)?.rows ?? [])
  const marks = (id: string) => {
    const thread = (pulse.value, client.value?.threads.get(id))
    return { delivered: thread?.delivered ?? 0, read: thread?.read ?? 0 }
  }
  const headOf = (id: string): number => extra.get(id)?.head || 1
  const loaded = (id: string): boolean =>
    (pulse.value, (client.value?.threads.get(id)?.cursor ?? 0) >= headOf(id))
  const saidLast = (id: string): Said | undefined => {
    const row = lastSaid(rows(id))
    const tail = tails.get(id)?.said
    return row && row.at >= (tail?.at ?? 0) ? { at: row.at, from: row.from, body: row.body } : tail
  }
  const unreadOf = (id: string): number =>
    unread(rows(id), reads[id] ?? 0) || (flagged.has(id) ? 1 : 0)
  const sinceOf = (id: string): number | undefined => unansweredSince(rows(id))

  function listed(tab: Tab): Summary[] {
    const me = session.me?.id ?? ''
    const all: Listed[] = summaries.value
      .filter((one) => inTab(tab, one, me))
      .map((one) => ({ summary: one, since: tab === 'mine' ? sinceOf(one.id) : undefined }))
    return all.sort(order(tab)).map((one) => one.summary)
  }
  const unreadTotal = computed(() => listed('mine').filter((one) => unreadOf(one.id) > 0).length)

  function markRead(id: string): void {
    const head = client.value?.threads.get(id)?.cursor ?? 0
    if (head <= (reads[id] ?? 0)) return
    reads[id] = head
    merge(readMarks())
    const kept = Object.entries(reads).slice(-500)
    localStorage.setItem(READS, JSON.stringify(Object.fromEntries(kept)))
    if (extra.get(id)?.agent === session.me?.id) client.value?.seen(id, true)
  }

  // What was read in another tab is read here.
  function merge(marks: Record<string, number>): void {
    for (const [id, mark] of Object.entries(marks)) reads[id] = Math.max(reads[id] ?? 0, mark)
  }
  addEventListener('storage', (event) => {
    if (event.key === READS) merge(readMarks())
  })

  function command(what: 'take' | 'close' | 'transfer', id: string, key: string | undefined): void {
    if (!key) return
    pending.set(key, id)
    busy.set(id, what)
  }

  function stop(): void {
    client.value?.stop(true)
    // Who was signed out by the server goes on with what was not sent; who signs out leaves nothing.
    if (!session.expired) client.value?.forget()
    disown()
    client.value = undefined
    extra.clear()
    tails.clear()
    next.value = null
    beyond.value = 0
    followed.clear()
    outages.value = []
    recovered.value = []
    welcomed.value = false
    newsFrom = Infinity
    stopped.value = undefined
    state.value = 'idle'
    touch()
  }

  return {
    state, lostAt, stopped, stale, welcomed, listState, now, typing, reports, busy, outages, recovered, errors,
    reads,
    summaries, unreadTotal, start, stop, loadList, next, beyond, loadMore, loadingMore, peek, saidLast,
    open, summary, rows, marks, loaded,
    unreadOf, sinceOf, listed, markRead,
    skew: () => client.value?.skew ?? 0,
    limits: () => client.value?.limits,
    textLimit: () => client.value?.limits.text_bytes ?? 8192,
    flag: (id: string) => { flagged.add(id) },
    unflag: (id: string) => { flagged.delete(id) },
    onEvent: (one: Heard) => {
      heard.add(one)
      return () => heard.delete(one)
    },
    send: (id: string, text: string, file?: FileInfo) => client.value?.send(id, text, file),
    note: (id: string, text: string) => client.value?.note(id, text),
    take: (id: string) => command('take', id, client.value?.take(id)),
    close: (id: string) => command('close', id, client.value?.close(id)),
    transfer: (id: string, to: Target, note?: string) =>
      command('transfer', id, client.value?.transfer(id, to, note)),
    retry: (key: string) => client.value?.retry(key),
    discard: (key: string) => client.value?.discard(key),
    type: (id: string, on: boolean) => client.value?.typing(id, on),
    setStatus: (status: Status) => client.value?.setStatus(status) ?? false,
    hurry: () => client.value?.hurry(),
  }
})

function readMarks(): Record<string, number> {
  try {
    return JSON.parse(localStorage.getItem(READS) ?? '{}') as Record<string, number>
  } catch {
    return {}
  }
}
