// What the panel shows besides the thread: the queue, the end of a conversation, the receipt of a message left, the menu.

import { h } from './dom'
import { rating } from './forms'
import { icon } from './icons'
import type { Session } from './session'
import { clock, exact, fill, initials, t } from './text'
import type { Log } from './log'

export interface FaceActions {
  redraw(): void
  leaveMessage(): void
  fresh(): void
}

const quiet = (text: string, onclick: () => void): HTMLElement =>
  h('button.quiet', { onclick }, text)

const secondary = (text: string, onclick: () => void): HTMLElement =>
  h('button.secondary', { onclick }, text)

export function drawQueue(log: Log, session: Session, act: FaceActions): void {
  const position = session.client.positions.get(session.current!)
  const place = position === undefined ? t.queue_in
    : position.ahead === 0 ? t.queue_next : fill(t.queue_n, position.ahead + 1)
  const wait = position?.wait_ms
  const minutes = wait === undefined ? ''
    : ` · ${wait < 60_000 ? t.queue_soon : fill(t.queue_min, Math.round(wait / 60_000))}`
  log.foot(`queue ${place}${minutes}`, h('section.card', { role: 'status' },
    h('p.title', {}, icon('people'), h('span', {}, place, minutes)),
    h('p.intro', {}, t.queue_help),
    h('div.actions', {}, secondary(t.leave_message, act.leaveMessage),
      quiet(t.leave_queue, () => session.leave()))))
}

const skipped = new Set<string>()

export function drawClosed(log: Log, session: Session, act: FaceActions): void {
  const id = session.current!
  const rows = session.thread?.rows ?? []
  const has = (type: string): boolean => rows.some(({ body }) => body.type === type)
  const rated = has('rated') || session.summary?.rating != null
  const ask = !rated && !skipped.has(id) && has('assigned')
  const done = (): void => {
    skipped.add(id)
    act.redraw()
  }
  log.foot(`closed ${id} ${rated} ${ask} ${t.new}`,
    rated && h('p.line', {}, t.rate_thanks),
    ask && rating((score, comment) => {
      session.client.rate(id, score, comment)
      done()
    }, done),
    h('div.actions.end', {}, secondary(t.new, act.fresh), quiet(t.transcript, () => transcript(session))))
}

export function receipt(session: Session): HTMLElement {
  const kept = session.offline === 'kept'
  return h('div.form.done', { role: 'status' },
    h(`div.mark${kept ? '' : '.wait'}`, {}, icon(kept ? 'check' : 'clock', 28)),
    h('p.title', {}, kept ? t.message_done : t.message_sending),
    kept && h('p.intro', {}, fill(t.message_ref, `#${session.current?.slice(-6) ?? ''}`)),
    kept && quiet(t.new, () => session.fresh()))
}

export function header(name: string, site: string, online: boolean, more: () => void, close: () => void): Node[] {
  return [
    h('span.avatar.big', { 'aria-hidden': 'true' }, initials(name)),
    h('div.names', {}, h('h2', {}, name),
      h('p', {}, h(`span.dot${online ? '.on' : ''}`), name === site ? online ? t.online : t.offline : site)),
    h('button.icon', { 'aria-label': t.more, 'aria-haspopup': 'menu', onclick: more }, icon('more')),
    h('button.icon', { 'aria-label': t.close, onclick: close }, icon('close')),
  ]
}

/** The thread as a text file. */
export function transcript(session: Session): void {
  const rows = session.thread?.rows ?? []
  let agent: string = t.agent
  const lines = rows.map(({ at, from, body }) => {
    if (body.type === 'assigned') agent = body.name
    return body.type === 'message' && `${exact(at)}  ${from.kind === 'visitor' ? t.you : agent}: ${body.text}\n`
  })
  const href = URL.createObjectURL(new Blob([...lines.filter((line) => line !== false)], { type: 'text/plain' }))
  h<HTMLAnchorElement>('a', { href, download: `${session.current}.txt` }).click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000)
}

/** Which way frames go, how long a round trip takes, when something last came. */
export async function selfTest(node: HTMLElement, session: Session, address: URL): Promise<void> {
  const { client } = session
  const kind = client.carrier === 'longpoll' ? t.carrier_longpoll
    : client.carrier === 'tab' ? t.carrier_tab : t.carrier_websocket
  const last = session.thread?.rows.findLast((row) => row.seq !== undefined)
  const started = performance.now()
  const trip = await fetch(address, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(4_000) })
    .then(() => fill(t.link_trip, Math.round(performance.now() - started)), () => t.link_down)
  node.replaceChildren(...[
    client.state === 'open' ? fill(t.link_now, kind) : t.reconnecting, trip,
    last ? fill(t.link_last, clock(last.at)) : '',
  ].map((text) => h('span', {}, text)))
}
