// The thread on screen: rows are added, changed and removed in place, and what someone reads never moves. A long thread
// shows a window of its rows, which follows the scroll position.

import type { Row } from '../protocol/thread'
import { h, linked, put } from './dom'
import { icon } from './icons'
import { items } from './items'
import type { Foot, Item } from './items'
import type { Session } from './session'
import { exact, fill, initials, label, t } from './text'
import type { Label } from './context'

const END_PX = 48
const MOST_ROWS = 300
const PAGE_ROWS = 80

export interface LogActions {
  retry(key: string): void
  remove(key: string, edit: boolean): void
  redraw(): void
}

export class Log {
  readonly element: HTMLElement
  /** First seq that was unread when the panel opened. */
  newFrom = 0
  private readonly rowsNode = h('div.rows', { role: 'log', 'aria-live': 'polite' })
  private readonly tailNode = h('div.tail')
  private readonly pill = h('button.pill', { hidden: true, onclick: () => this.toEnd() })
  private readonly scroller = h('div.scroll', { tabIndex: 0 }, this.rowsNode, this.tailNode)
  private readonly drawn = new Map<string, { node: HTMLElement; mark: string }>()
  private atEnd = true
  private below = 0
  private total = 0
  private from = 0
  private till = Infinity
  private lastId = ''

  constructor(private readonly act: LogActions) {
    const { scroller } = this
    this.element = h('div.log', {}, scroller, this.pill)
    scroller.addEventListener('scroll', () => this.scrolled(), { passive: true })
    const follow = new ResizeObserver(() => { if (this.atEnd) this.toEnd() })
    for (const part of [scroller, this.tailNode]) follow.observe(part)
  }

  /** Another language: every row is drawn anew. */
  clear(): void {
    this.drawn.clear()
    this.rowsNode.replaceChildren()
  }

  /** What follows the rows: the queue card, typing dots, the rating. Redrawn only when `mark` changes. */
  foot(mark: string, ...nodes: (Node | false | undefined)[]): void {
    if (this.tailNode.dataset['mark'] === mark) return
    this.tailNode.dataset['mark'] = mark
    put(this.tailNode, ...nodes)
    if (this.atEnd) this.toEnd()
  }

  toEnd(): void {
    const cut = this.till < this.total
    this.till = Infinity
    this.below = 0
    this.atEnd = true
    if (cut) this.act.redraw()
    this.scroller.scrollTop = this.scroller.scrollHeight
    this.showPill()
  }

  /** Shows the line above what is new, if there is one; else the end. */
  toNew(): void {
    this.toEnd()
    const line = this.drawn.get('new')?.node
    if (line) this.scroller.scrollTop = line.offsetTop - 8
    this.scrolled()
  }

  draw(session: Session, greeting: Label, now: number): void {
    const { thread } = session
    const list = thread ? items(thread, (row) => row.from.kind === 'visitor', now, this.newFrom) : []
    const text = label(greeting) || t.hello
    list.unshift({
      kind: 'message', id: 'hello', mine: false, first: true, name: '',
      row: { id: 'hello', at: 0, from: { kind: 'system' }, state: 'sent', body: { type: 'message', text } },
    })
    if (session.state === 'opening' && list.length === 1) list.push({ kind: 'wait', id: 'wait', text: '' })
    this.count(list)
    const anchor = this.atEnd ? undefined : this.visible()
    const at = anchor?.offsetTop ?? 0
    this.place(list.slice(this.from, this.till))
    if (this.atEnd) this.toEnd()
    else {
      if (anchor?.isConnected) this.scroller.scrollTop += anchor.offsetTop - at
      this.showPill()
    }
  }

  // Own news goes to the end; other news waits below; the window keeps its size.
  private count(list: Item[]): void {
    const last = list.findLastIndex((item) => item.id === this.lastId)
    if (last >= 0) {
      for (const item of list.slice(last + 1)) {
        if (item.kind !== 'message') continue
        if (item.mine) {
          this.atEnd = true
          this.till = Infinity
        } else if (!this.atEnd) this.below += 1
      }
    }
    this.lastId = list.at(-1)!.id
    this.total = list.length
    if (this.atEnd) {
      const fresh = list.findIndex(({ kind }) => kind === 'new')
      const page = this.total - PAGE_ROWS
      this.from = Math.max(0, this.total - MOST_ROWS, fresh < 0 ? page : Math.min(page, fresh))
    }
    if (this.till >= this.total) this.till = Infinity
    if (Math.min(this.till, this.total) - this.from > MOST_ROWS) this.till = this.from + MOST_ROWS
  }

  private place(wanted: Item[]): void {
    const keep = new Set(wanted.map(({ id }) => id))
    for (const [id, { node }] of this.drawn) {
      if (keep.has(id)) continue
      node.remove()
      this.drawn.delete(id)
    }
    let next = this.rowsNode.firstElementChild
    for (const item of wanted) {
      const node = this.node(item)
      if (node === next) next = next.nextElementSibling
      else this.rowsNode.insertBefore(node, next)
    }
  }

  private scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller
    const left = scrollHeight - scrollTop - clientHeight
    this.atEnd = left <= END_PX && this.till >= this.total
    if (this.atEnd) this.below = 0
    this.showPill()
    const near = clientHeight * 1.5
    if (scrollTop < near && this.from > 0) {
      this.from = Math.max(0, this.from - PAGE_ROWS)
      if (Math.min(this.till, this.total) - this.from > MOST_ROWS) this.till = this.from + MOST_ROWS
    } else if (left < near && this.till < this.total) {
      this.till += PAGE_ROWS
      this.from = Math.max(this.from, this.till - MOST_ROWS)
    } else return
    this.act.redraw()
  }

  /** The first row of which something is to be seen. */
  private visible(): HTMLElement | undefined {
    const { scrollTop } = this.scroller
    return ([...this.rowsNode.children] as HTMLElement[])
      .find((node) => node.offsetTop + node.offsetHeight > scrollTop)
  }

  private showPill(): void {
    this.pill.hidden = this.atEnd
    this.pill.setAttribute('aria-label', t.to_end)
    put(this.pill, icon('down', 16), this.below > 0 && fill(t.new_below, this.below))
  }

  private node(item: Item): HTMLElement {
    const mark = JSON.stringify(item)
    const known = this.drawn.get(item.id)
    if (known?.mark === mark) return known.node
    const node = known?.node ?? h('div')
    this.drawn.set(item.id, { node, mark })
    if (item.kind === 'message') this.message(node, item)
    else {
      node.className = item.kind
      put(node, ...(item.kind === 'wait' ? [h('i'), h('i'), h('i')] : [item.text]))
    }
    return node
  }

  private message(node: HTMLElement, item: Extract<Item, { kind: 'message' }>): void {
    const { row, mine, first, name, foot } = item
    const { body } = row
    if (body.type !== 'message') return
    node.className = `message${mine ? ' mine' : ''}${first ? ' first' : ''}`
    const bubble = h('div.bubble', { dir: 'auto' }, ...linked(body.text))
    if (row.at > 0) bubble.title = exact(row.at)
    bubble.classList.toggle('failed', row.state === 'failed')
    put(node,
      first && !mine && name && h('div.who', {},
        h('span.avatar', { 'aria-hidden': 'true' }, initials(name)), name),
      bubble,
      body.masked && mine && h('div.foot', {}, t.masked),
      foot && this.footer(row, foot))
  }

  private footer(row: Row, foot: Foot): HTMLElement {
    const { act } = this
    const key = row.key!
    const long = row.error === 'too_large'
    const link = (text: string, onclick: () => void): HTMLElement =>
      h('button.link', { onclick }, text)
    const node = h(`div.foot${foot.actions ? '.danger' : ''}`,
      foot.actions ? { role: 'alert' } : {}, icon(foot.icon, 14), h('span', {}, foot.text))
    if (foot.actions) {
      node.append(link(long ? t.edit : t.retry, () => (long ? act.remove(key, true) : act.retry(key))),
        link(t.delete, () => act.remove(key, false)))
    }
    return node
  }
}
