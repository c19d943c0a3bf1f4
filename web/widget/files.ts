// Files on their way, as chips above the text: checked, uploaded with progress as soon as there is a conversation, and
// sent when ➤ has been pressed and the server has them.
//
//   waiting ──conversation──▶ uploading ──▶ uploaded ──(➤ pressed)──▶ sent
//                                 └─▶ failed ──Retry──▶ waiting

import type { Client } from '../protocol/client'
import type { FileInfo } from '../protocol/frames'
import type { Context, Words } from './context'

/** What the panel lends: this file is fetched when someone picks the first file, and brings nothing along. */
export interface Kit {
  context: Context
  client: Client
  /** Where the chips stand. */
  tray: HTMLElement
  h<T extends HTMLElement>(spec: string, props?: object, ...children: (Node | string | false)[]): T
  cross(): Node
  fill(sentence: string, value: string | number): string
  megabytes(bytes: number): string
  authorize(): Promise<string>
  /** Id of the conversation, once it has one. */
  place(): string | undefined
  words(): Words
  /** There is more or less to send. */
  changed(): void
}

export interface Files {
  /** Takes the files that may be sent; answers what is wrong with the others. */
  attach(files: Iterable<File>): string
  /** Something would go out with ➤. */
  waiting(): boolean
  /** ➤ was pressed. */
  release(): void
  /** Starts what waits for a conversation. */
  upload(): void
}

interface Chip {
  file: File
  node: HTMLElement
  bar: HTMLProgressElement
  words: HTMLElement
  again: HTMLElement
  conversation?: string
  request?: XMLHttpRequest
  uploaded?: FileInfo
  /** ➤ was pressed. */
  go?: boolean
}

export default function begin(kit: Kit): Files {
  const { context, client, tray, h, cross, fill, megabytes, authorize, place, words: t, changed } = kit
  const chips = new Set<Chip>()

  function uploadAll(): void {
    const conversation = place()
    for (const one of conversation ? chips : []) {
      if (!one.conversation) void upload(one, one.conversation = conversation!)
    }
  }

  function refusal({ size, type }: File): string {
    const { file_bytes: most = 0, file_types: types = [] } = { ...context.config.limits, ...client.limits }
    if (size > most) return fill(t().file_size, megabytes(most))
    return type && !types.includes(type)
      ? fill(t().file_type, types.map((one) => one.replace(/.*[/.]/, '')).join(', ')) : ''
  }

  function chip(file: File): void {
    const src = file.type.startsWith('image/') ? URL.createObjectURL(file) : ''
    const bar = h<HTMLProgressElement>('progress', { value: 0, ariaLabel: file.name })
    const words = h('span', {}, file.name)
    const again = h('button.link', {
      hidden: true,
      onclick: () => {
        delete one.conversation
        again.hidden = true
        uploadAll()
      },
    }, t().retry)
    const node = h('div.chip', {}, !!src && h('img', { src, alt: '' }), h('div.names', {}, words, bar), again,
      h('button.icon', { ariaLabel: `${t().delete} ${file.name}`, onclick: () => drop(one) }, cross()))
    const one: Chip = { file, node, bar, words, again }
    chips.add(one)
    tray.append(node)
  }

  function drop(one: Chip): void {
    chips.delete(one)
    one.request?.abort()
    one.node.remove()
    changed()
  }

  async function upload(one: Chip, conversation: string): Promise<void> {
    const { file, bar, words, again } = one
    words.textContent = file.name
    const token = await authorize().catch(() => '')
    const request = one.request = new XMLHttpRequest()
    const name = encodeURIComponent(file.name)
    request.open('POST', new URL(`/v1/conversations/${conversation}/files?name=${name}`, context.base))
    request.setRequestHeader('authorization', `Bearer ${token}`)
    request.responseType = 'json'
    request.upload.onprogress = ({ loaded }) => { bar.value = loaded / file.size }
    request.onload = () => {
      if (request.status === 201) one.uploaded = (request.response as { file: FileInfo }).file
    }
    request.onloadend = () => {
      const why = { 413: fill(t().file_size, megabytes(client.limits.file_bytes ?? 0)), 415: t().file_refused }
      again.hidden = !!one.uploaded || request.status in why
      if (!one.uploaded) words.textContent = `${file.name}: ${why[request.status as 413] ?? t().file_failed}`
      deliver(one)
    }
    request.send(file)
  }

  function deliver(one: Chip): void {
    if (!one.go || !one.uploaded || !chips.has(one)) return
    client.send(one.conversation!, '', one.uploaded)
    drop(one)
  }

  return {
    attach(files) {
      let wrong = ''
      for (const file of files) {
        const problem = refusal(file)
        if (problem) wrong = problem
        else chip(file)
      }
      uploadAll()
      return wrong
    },
    waiting: () => [...chips].some(({ go }) => !go),
    release() {
      for (const one of chips) {
        one.go = true
        deliver(one)
      }
    },
    upload: uploadAll,
  }
}
