// The thread on screen: rows are added, changed and removed in place, and what someone reads never moves. A long thread
// shows a window of its rows, which follows the scroll position.

import { message } from './bubble'
import { h, put } from './dom'
import { context } from './here'
import { DOWN, icon } from './icons'
import { items } from './items'
import type { Item } from './items'
import { client, state, thread } from './session'
import { fill, label, t } from './text'

const END_PX = 48
const MOST_ROWS = 300
const PAGE_ROWS = 80

const rows = h('div.rows', { role: 'log', ariaLive: 'polite' })
const tail = h('div.tail')
const pill = h('button.pill', { hidden: true, onclick: toEnd })
const scroller = h('div.scroll', { tabIndex: 0, onscroll: scrolled }, rows, tail)
const drawn = new Map<string, { node: HTMLElement; mark: string }>()
let atEnd = true
/** Messages that came below what is on screen. */
let below = 0
let total = 0
/** Index of the first row in the document. */
let from = 0
let lastId = ''
let tailMark = ''
/** First seq that was unread when the panel opened. */
let newFrom = 0

export const log = h('div.log', {}, scroller, pill)
const follow = new ResizeObserver(() => { if (atEnd && total) toEnd() })
for (const part of [scroller, tail]) follow.observe(part)

/** Another language: every row is drawn anew. */
export function clearLog(): void {
  drawn.clear()
  rows.replaceChildren()
  tailMark = ''
}

/** What follows the rows: the queue card, typing dots, the rating. Drawn again only when `mark` changes. */
export function drawTail(mark: string, ...nodes: (Node | false)[]): void {
  if (tailMark === mark) return
  tailMark = mark
  put(tail, ...nodes)
  if (atEnd) toEnd()
}

export function toEnd(): void {
  atEnd = true
  below = 0
  if (from + MOST_ROWS < total) drawLog()
  scroller.scrollTop = scroller.scrollHeight
  showPill()
}

/** Where to draw the line above what is new. */
export function markNew(seq = 0): void {
  newFrom = seq
}

/** Shows the line above what is new, if there is one; else the end. */
export function toNew(): void {
  toEnd()
  const line = rows.querySelector<HTMLElement>('.new')
  if (line) scroller.scrollTop = line.offsetTop - 8
  scrolled()
}

export function drawLog(): void {
  const known = thread()
  const list = known ? items(known, Date.now() + client.skew, newFrom) : []
  list.unshift({
    kind: 'message', id: 'hello', mine: false, first: true, name: '', foot: undefined,
    row: {
      id: '', at: 0, from: { kind: 'system' }, state: 'sent',
      body: { type: 'message', text: label(context.config.greeting) || t.hello },
    },
  })
  if (state() === 'opening' && !list[1]) list.push({ kind: 'wait', id: 'wait', text: '' })
  count(list)
  const { scrollTop } = scroller
  const anchor = ([...rows.children] as HTMLElement[])
    .find((node) => node.offsetTop + node.offsetHeight > scrollTop)
  const top = anchor?.offsetTop ?? 0
  place(list.slice(from, from + MOST_ROWS))
  if (atEnd) toEnd()
  else {
    if (anchor?.isConnected) scroller.scrollTop += anchor.offsetTop - top
    showPill()
  }
}

// Own news goes to the end; other news waits below.
function count(list: Item[]): void {
  const last = list.findLastIndex(({ id }) => id === lastId)
  for (const item of last < 0 ? [] : list.slice(last + 1)) {
    if (item.kind !== 'message') continue
    if (item.mine) atEnd = true
    else if (!atEnd) below += 1
  }
  lastId = list.at(-1)!.id
  total = list.length
  if (atEnd) from = Math.max(0, total - MOST_ROWS)
}

function place(wanted: Item[]): void {
  const keep = new Set(wanted.map(({ id }) => id))
  for (const [id, { node }] of drawn) {
    if (keep.has(id)) continue
    node.remove()
    drawn.delete(id)
  }
  let next = rows.firstElementChild
  for (const item of wanted) {
    const node = draw(item)
    if (node === next) next = next.nextElementSibling
    else rows.insertBefore(node, next)
  }
}

function draw(item: Item): HTMLElement {
  const mark = JSON.stringify(item)
  const known = drawn.get(item.id)
  if (known?.mark === mark) return known.node
  const node = known?.node ?? h('div')
  drawn.set(item.id, { node, mark })
  if (item.kind === 'message') message(node, item)
  else {
    node.className = item.kind
    put(node, ...(item.kind === 'wait' ? [h('i'), h('i'), h('i')] : [item.text]))
  }
  return node
}

function scrolled(): void {
  const { scrollHeight, scrollTop, clientHeight } = scroller
  const left = scrollHeight - scrollTop - clientHeight
  const near = clientHeight * 1.5
  const step = scrollTop < near ? -PAGE_ROWS : left < near ? PAGE_ROWS : 0
  const next = Math.max(0, Math.min(total - MOST_ROWS, from + step))
  atEnd = left <= END_PX && from + MOST_ROWS >= total
  if (atEnd) below = 0
  showPill()
  if (atEnd || next === from) return
  from = next
  drawLog()
}

function showPill(): void {
  pill.hidden = atEnd
  pill.ariaLabel = t.to_end
  put(pill, icon(DOWN, 16), below > 0 && fill(t.new_below, below))
}
