// One visitor on one site: the token, the client, the conversation that is shown, and what is remembered over a reload.
// What is remembered is shared with the visitor's other tabs through the store's own events.

import { Client } from '../protocol/client'
import type { ByeCode, Summary } from '../protocol/frames'
import { LOCAL } from '../protocol/outbox'
import type { Thread } from '../protocol/thread'
import { context } from './here'
import { locale } from './text'

/** A closed conversation is offered for rating this long. */
const RECENT_MS = 24 * 3_600_000
/** A token that ends sooner is renewed. */
const SPARE_MS = 24 * 3_600_000

/** `identity`: whom the site vouched for. */
type Token = { token: string; expires_at: number; identity?: string | undefined }

export interface Hooks {
  changed(): void
  /** Back into the composer, and why. */
  restore(text: string, why?: string): void
  /** Another tab remembered something. */
  shared(name: string): void
}

export let client: Client
/** Id of the conversation on screen, `local:…` while it is being opened, nothing before. */
export let current: string | undefined
/** Opened as a message for later: the receipt is shown, not a thread. */
export let offline: 'sending' | 'kept' | undefined
/** New conversations are refused for now. */
export let unavailable = false
/** Why the server will not have us. */
export let ended: ByeCode | undefined
let hooks: Hooks
let token: Token | undefined
let renewed = false

export function begin(to: Hooks): void {
  const { base, options: { site }, recall, remember } = context
  hooks = to
  client = new Client({
    base,
    client: 'kefu-widget 0.1.0',
    token: authorize,
    store: { get: recall, set: remember },
    storeName: 'outbox',
    share: `kefu:${site}`,
    changed: hooks.changed,
  })
  current = recall('conversation')
  if (local()) {
    if (!client.outbox.find(current!.slice(LOCAL.length))) current = undefined
  } else if (current) {
    client.thread(current).seen = recall<number>('seen') ?? 0
    client.follow(current)
  }
  listen()
}

export function summary(): Summary | undefined {
  return client.summaries.get(current!)
}

export function thread(): Thread | undefined {
  return client.threads.get(current!)
}

export function state(): 'new' | 'opening' | Summary['state'] {
  return current ? summary()?.state ?? 'opening' : 'new'
}

/** The conversation has no id yet. */
export function local(): boolean {
  return !!current?.startsWith(LOCAL)
}

/** The token is for whom the site says it is, if it says so. */
function known(): boolean {
  const { identity } = context.options
  return !identity || identity.id === token?.identity
}

/** The site says who it is: a token for that, and a connection with it. */
export function identify(): void {
  if (known() || client.state === 'idle') return
  client.stop()
  client.start()
}

/** Signs out, or (`clear` not set) only leaves the page. */
export function end(clear: boolean): void {
  removeEventListener('storage', synced)
  if (clear) client.forget()
  client.stop(clear)
}

/** Opens a conversation if there is none; the text may be empty. */
export function say(text: string, fields: Record<string, string>): void {
  if (state() === 'closed') fresh()
  if (!current) ask(fields)
  if (text) client.send(current!, text)
}

export function leaveMessage(text: string, fields: Record<string, string>): void {
  if (state() === 'waiting') leave()
  offline = 'sending'
  ask(fields, { text, offline: true })
}

export function leave(): void {
  if (!local()) client.close(current!)
}

export function fresh(): void {
  offline = undefined
  look(undefined)
}

/** Marks what is on screen as read. */
export function read(): void {
  const it = thread()
  if (!it || local() || it.seen >= it.cursor) return
  client.seen(current!, true)
  context.remember('seen', it.seen)
}

function ask(fields: Record<string, string>, more: { text?: string; offline?: boolean } = {}): void {
  const page = (location.origin + location.pathname).slice(0, 500)
  look(LOCAL + client.open({ fields, language: locale, page, ...more }))
}

function look(id: string | undefined): void {
  current = id
  context.remember('conversation', id)
  context.remember('seen')
  hooks.changed()
}

function listen(): void {
  const { emit } = context
  client.on('opened', ({ key, conversation }) => {
    emit('conversation', conversation)
    if (current !== LOCAL + key) return
    unavailable = false
    if (offline) offline = 'kept'
    look(conversation)
  })
  client.on('welcome', ({ conversations }) => {
    ended = undefined
    if (!local()) adopt(conversations)
  })
  client.on('error', ({ key, code, conversation, message }) => {
    if (key && current === LOCAL + key) {
      unavailable = code === 'unavailable' || code === 'rate_limited'
      if (!client.outbox.find(key)) refusedToOpen()
    } else if (key && code === 'blocked') {
      // A text goes back to the composer; a file has nothing to give back and stays, as not sent.
      const draft = client.outbox.find(key)?.draft
      if (draft?.type === 'send' && draft.text) hooks.restore(client.discard(key)!, message)
    } else if (conversation === current && !key && (code === 'not_found' || code === 'forbidden')) fresh()
  })
  client.on('stopped', (code) => {
    emit('error', new Error(code))
    ended = code
    if (code !== 'unauthorized' || renewed) return
    // The token is too old: the server gives a new one, once.
    token = undefined
    context.remember('token')
    renewed = true
    if (client.leads) client.start()
  })
  addEventListener('storage', synced)
}

// Another tab remembered something.
function synced({ key }: StorageEvent): void {
  const [, site, name = ''] = key?.split(':') ?? []
  if (site !== context.options.site) return
  const value = context.recall<never>(name)
  if (name === 'conversation' && !`${value}`.startsWith(LOCAL)) {
    current = value
    client.start()
  } else if (name === 'seen' && current) {
    const it = client.thread(current)
    it.seen = Math.max(it.seen, value ?? 0)
  }
  hooks.shared(name)
  hooks.changed()
}

// The server knows which conversation is ours: another tab or device may have opened it.
function adopt(list: Summary[]): void {
  const newest = list.filter((one) => one.state !== 'closed' && !one.offline)
    .sort((a, b) => b.opened_at - a.opened_at)[0]
  const mine = list.find((one) => one.id === current)
  const over = mine?.state === 'closed'
  if (newest && newest.id !== current && (!mine || over)) {
    look(newest.id)
    client.follow(newest.id)
  } else if (over && !offline && Date.now() + client.skew - (mine.closed_at ?? 0) > RECENT_MS) look(undefined)
  else if (mine?.offline && mine.state === 'waiting') offline = 'kept'
}

// What was typed goes back to the composer: nothing is lost because a conversation could not be opened.
function refusedToOpen(): void {
  const texts = thread()?.rows.slice().map((row) => client.discard(row.key!)).filter(Boolean)
  fresh()
  if (texts?.length) hooks.restore(texts.join('\n'))
}

export async function authorize(): Promise<string> {
  const { call, options: { site, identity }, recall, remember } = context
  token = recall<Token>('token') ?? token
  if (token && known() && token.expires_at > Date.now() + SPARE_MS) return token.token
  const answer = await call('/v1/visitors', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ site, token: token?.token, identity }),
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) {
    const error = new Error(`visitors: ${answer.status}`)
    context.emit('error', error)
    throw error
  }
  token = { ...(await answer.json()) as Token, identity: identity?.id }
  remember('token', token)
  return token.token
}
