// One message: who, the bubble with its text or file, and what became of it.

import type { FileInfo } from '../protocol/frames'
import { h, put } from './dom'
import { context } from './here'
import { CLIP, icon } from './icons'
import type { Foot, Said } from './items'
import { client } from './session'
import { exact, initials, megabytes, t } from './text'

const LINK = /https?:\/\/[^\s<>"'，。；、）】]+[^\s<>"'，。；、）】.,;:!?)\]]/gu
const IMAGE_PX = 240

let edit: (text: string) => void

/** Where a text goes that is too long to be sent. */
export function editWith(act: typeof edit): void {
  edit = act
}

export function avatar(name: string): HTMLElement {
  return h('span.pic', { ariaHidden: 'true' }, initials(name))
}

export function message(node: HTMLElement, item: Said): void {
  const { row: { at, body, key, error }, mine, first, name, foot } = item
  if (body.type !== 'message') return
  const { text, file, masked } = body
  node.className = `message${mine ? ' mine' : ''}${first ? ' first' : ''}`
  put(node,
    first && !!name && h('div.who', {}, avatar(name), name),
    h(`div.bubble${foot?.failed ? ' failed' : ''}`, { dir: 'auto', title: at ? exact(at) : '' },
      file && attachment(file), ...linked(text)),
    mine && masked && h('div.foot', {}, t.masked),
    foot && footer(foot, key!, error === 'too_large'))
}

/** Text with its web addresses as links, built as nodes. */
function linked(text: string): (string | Node)[] {
  const links = [...text.matchAll(LINK)].map(([href]) => outward(href, href))
  return text.split(LINK).flatMap((part, n) => (links[n] ? [part, links[n]] : [part]))
}

function outward(href: string, ...children: (string | Node)[]): HTMLElement {
  return h('a', { href, target: '_blank', rel: 'noreferrer nofollow' }, ...children)
}

function attachment({ name, type, size, width, height, url }: FileInfo): HTMLElement {
  const src = new URL(url, context.base).href
  if (!type.startsWith('image/') || !width || !height) {
    return outward(src, icon(CLIP, 16), name, ` · ${megabytes(size)}`)
  }
  // Its place is known before it is here: nothing moves when it comes.
  const scale = Math.min(1, IMAGE_PX / width, IMAGE_PX / height)
  const [wide, high] = [width, height].map((px) => Math.round(px * scale))
  return outward(src, h('img', { src, alt: name, width: wide, height: high }))
}

function footer({ icon: path, text, failed }: Foot, key: string, long: boolean): HTMLElement {
  const link = (words: string, onclick: () => void): HTMLElement => h('button.link', { onclick }, words)
  return h(`div.foot${failed ? ' bad' : ''}`, failed ? { role: 'alert' } : {},
    icon(path, 14), h('span', {}, text),
    failed && (long ? link(t.edit, () => edit(client.discard(key) ?? '')) : link(t.retry, () => client.retry(key))),
    failed && link(t.delete, () => client.discard(key)))
}
