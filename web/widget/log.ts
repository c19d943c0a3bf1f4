// The thread on screen: rows are added, changed and removed in place, and what someone reads never moves.

import type { Row } from '../protocol/index'
import { h, linked, put } from './dom'
import { icon } from './icons'
import { items } from './items'
import type { Item } from './items'
import type { Session } from './session'
import { initials } from './text'
import type { Words } from './text'

const END_PX = 48

export interface LogActions {
  retry(key: string): void
  remove(key: string, edit: boolean): void
}

export class Log {
  readonly element: HTMLElement
  private readonly list: HTMLElement
  private readonly tail = h('div.tail')
  private readonly pill = h('button.pill', { type: 'button', hidden: true })
  private readonly nodes = new Map<string, { node: HTMLElement; mark: string }>()
  private atEnd = true
  private below = 0

  constructor(private words: Words, private readonly act: LogActions) {
    this.list = h('div.rows', { role: 'log', 'aria-live': 'polite' })
    const scroller = h('div.scroll', { tabIndex: 0 }, this.list, this.tail)
    this.element = h('div.log', {}, scroller, this.pill)
    scroller.addEventListener('scroll', () => {
      this.atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= END_PX
      if (this.atEnd) this.below = 0
      this.showPill()
    }, { passive: true })
    this.pill.onclick = () => this.end()
    const follow = new ResizeObserver(() => { if (this.atEnd) this.end() })
    for (const part of [scroller, this.tail]) follow.observe(part)
  }

  speak(words: Words): void {
    this.words = words
    this.nodes.clear()
    this.list.replaceChildren()
  }

  /** What follows the rows: the queue card, typing dots, the rating. Redrawn only when `mark` changes. */
  foot(mark: string, ...nodes: (Node | false | undefined)[]): void {
    if (this.tail.dataset['mark'] === mark) return
    this.tail.dataset['mark'] = mark
    put(this.tail, ...nodes)
    if (this.atEnd) this.end()
  }

  end(): void {
    const scroller = this.element.firstElementChild!
    scroller.scrollTop = scroller.scrollHeight
    this.below = 0
    this.atEnd = true
    this.showPill()
  }

  /** Draws; answers how many rows of the other side are new. */
  draw(session: Session, greeting: string, now: number): number {
    const thread = session.current === undefined ? undefined : session.client.thread(session.current)
    const isMe = (row: Row): boolean => row.from.kind === 'visitor'
    const list = thread ? items(thread, isMe, this.words, now) : []
    const hello: Item = {
      kind: 'message', id: 'hello', mine: false, first: true, name: '',
      row: { id: 'hello', at: 0, from: { kind: 'system' }, state: 'sent', body: { type: 'message', text: greeting } },
    }
    const wanted = [hello, ...list]
    const keep = new Set(wanted.map((item) => item.id))
    for (const [id, { node }] of this.nodes) {
      if (keep.has(id)) continue
      node.remove()
      this.nodes.delete(id)
    }
    let place = this.list.firstElementChild
    let fresh = 0
    for (const item of wanted) {
      const node = this.node(item, () => {
        if (item.kind === 'message' && !item.mine) fresh += 1
        if (item.kind === 'message' && item.mine) this.atEnd = true
      })
      if (node === place) place = place.nextElementSibling
      else this.list.insertBefore(node, place)
    }
    if (this.atEnd) this.end()
    else {
      this.below += fresh
      this.showPill()
    }
    return fresh
  }

  private showPill(): void {
    this.pill.hidden = this.atEnd
    this.pill.setAttribute('aria-label', this.words.t('to_end'))
    put(this.pill, icon('down', 16), this.below > 0 && this.words.t('new_below', { n: this.below }))
  }

  private node(item: Item, created: () => void): HTMLElement {
    const mark = JSON.stringify(item)
    const known = this.nodes.get(item.id)
    if (known?.mark === mark) return known.node
    const node = known?.node ?? h('div')
    if (!known) created()
    this.nodes.set(item.id, { node, mark })
    if (item.kind !== 'message') {
      node.className = item.kind
      node.textContent = item.text
    } else this.message(node, item)
    return node
  }

  private message(node: HTMLElement, item: Extract<Item, { kind: 'message' }>): void {
    const { row, mine, first, name, foot } = item
    const { body } = row
    node.className = `message${mine ? ' mine' : ''}${first ? ' first' : ''}`
    const text = body.type === 'message' ? body.text : ''
    const bubble = h('div.bubble', { dir: 'auto' }, ...linked(text))
    if (row.at > 0) bubble.title = this.words.exact(row.at)
    if (row.state === 'failed') bubble.classList.add('failed')
    put(node,
      first && !mine && name && h('div.who', {},
        h('span.avatar', { 'aria-hidden': 'true' }, initials(name)), name),
      bubble,
      body.type === 'message' && body.masked && mine && h('div.foot', {}, this.words.t('masked')),
      foot && this.footer(row, foot))
  }

  private footer(row: Row, foot: NonNullable<Extract<Item, { kind: 'message' }>['foot']>): HTMLElement {
    const node = h(`div.foot${foot.actions ? '.danger' : ''}`,
      foot.actions ? { role: 'alert' } : {}, icon(foot.icon, 14), h('span', {}, foot.text))
    if (!foot.actions || row.key === undefined) return node
    const key = row.key
    const blocked = row.error === 'blocked' || row.error === 'too_large'
    node.append(
      h('button.link', {
        type: 'button', onclick: () => (blocked ? this.act.remove(key, true) : this.act.retry(key)),
      }, this.words.t(blocked ? 'edit' : 'retry')),
      h('button.link', { type: 'button', onclick: () => this.act.remove(key, false) },
        this.words.t('delete')))
    return node
  }
}
