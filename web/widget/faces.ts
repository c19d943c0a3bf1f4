// What the panel shows besides the thread: the queue, the end of a conversation, the receipt of a message left, the
// connection test.

import type { EventBody } from '../protocol/frames'
import { avatar } from './bubble'
import { h, put } from './dom'
import { rating } from './forms'
import { context } from './here'
import { CHECK, CLOCK, CLOSE, icon, MORE } from './icons'
import { drawTail } from './log'
import { client, current, fresh, leave, offline, summary, thread } from './session'
import { clock, exact, fill, t } from './text'

const button = (kind: string, text: string, onclick: () => void): HTMLElement =>
  h(`button.${kind}`, { onclick }, text)

export function drawQueue(leaveMessage: () => void): void {
  const { ahead, wait_ms: wait } = client.positions.get(current!) ?? {}
  const place = ahead === undefined ? t.queue_in : ahead ? fill(t.queue_n, ahead + 1) : t.queue_next
  const about = wait === undefined ? ''
    : ` · ${wait < 60_000 ? t.queue_soon : fill(t.queue_min, Math.round(wait / 60_000))}`
  drawTail(place + about, h('section.card', { role: 'status' },
    h('p.title', {}, icon(CLOCK), h('span', {}, place, about)),
    h('p.intro', {}, t.queue_help),
    h('div.actions', {}, button('alt', t.leave_message, leaveMessage), button('quiet', t.leave_queue, leave))))
}

/** Whether a conversation is to be rated: skipped or rated it is not, until someone changes the rating. */
const asked = new Map<string, boolean>()

export function drawClosed(again: () => void): void {
  const id = current!
  const last = (wanted: string): EventBody | undefined =>
    thread()?.rows.findLast(({ body: { type } }) => type === wanted)?.body
  const told = last('rated')
  const rated = told?.type === 'rated' ? told.score : summary()?.rating ?? 0
  const ask = asked.get(id) ?? (!rated && !!last('assigned'))
  const turn = (on: boolean): void => {
    asked.set(id, on)
    drawClosed(again)
  }
  drawTail(`${id} ${rated} ${ask}`,
    rated > 0 && !ask && h('p.line', {}, t.rate_thanks, h('button.link', { onclick: () => turn(true) }, t.edit)),
    ask && rating(rated, (score, comment) => {
      client.rate(id, score, comment)
      turn(false)
    }, () => turn(false)),
    h('div.actions end', {}, button('alt', t.new, again), button('quiet', t.transcript, transcript)))
}

export function receipt(): HTMLElement {
  const kept = offline === 'kept'
  return h('div.form done', { role: 'status' },
    h(`div.mark${kept ? '' : ' late'}`, {}, icon(kept ? CHECK : CLOCK, 28)),
    h('p.title', {}, kept ? t.message_done : t.message_sending),
    kept && h('p.intro', {}, fill(t.message_ref, `#${current!.slice(-6)}`)),
    kept && button('quiet', t.new, fresh))
}

export function header(name: string, online: boolean, more: () => void, close: () => void): Node[] {
  const site = context.config.site.name
  return [
    avatar(name),
    h('div.names', {}, h('h2', {}, name),
      h('p', {}, h(`span.dot${online ? ' on' : ''}`), name === site ? online ? t.online : t.offline : site)),
    h('button.icon', { ariaLabel: t.more, ariaHasPopup: 'menu', onclick: more }, icon(MORE)),
    h('button.icon', { ariaLabel: t.close, onclick: close }, icon(CLOSE)),
  ]
}

/** The thread as a text file. */
export function transcript(): void {
  let agent = t.agent
  const lines = thread()?.rows.map(({ at, from, body }) => {
    if (body.type === 'assigned') agent = body.name
    return body.type === 'message'
      ? `${exact(at)}  ${from.kind === 'visitor' ? t.you : agent}: ${body.text || body.file?.name}\n` : ''
  })
  const href = URL.createObjectURL(new Blob(lines, { type: 'text/plain' }))
  h('a', { href, download: `${current}.txt` }).click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000)
}

/** Which way frames go, how long a round trip takes, when something last came. */
export async function selfTest(node: HTMLElement): Promise<void> {
  const kinds: Record<string, string> = {
    websocket: t.carrier_websocket, longpoll: t.carrier_longpoll, tab: t.carrier_tab,
  }
  const last = thread()?.rows.findLast((row) => row.seq)
  const started = Date.now()
  const trip = await context.ask(context.options, { cache: 'no-store' })
    .then(() => fill(t.link_trip, Date.now() - started), () => t.link_down)
  put(node, ...[
    client.state === 'open' ? fill(t.link_now, kinds[client.carrier!]!) : t.reconnecting, trip,
    last ? fill(t.link_last, clock(last.at)) : '',
  ].map((text) => h('span', {}, text)))
}
