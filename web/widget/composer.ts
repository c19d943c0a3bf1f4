// Where the visitor types. Nothing touches the text while an input method composes, and Enter that picks a candidate
// never sends.

import { h } from './dom'
import type { Files, Kit } from './files'
import { context } from './here'
import { CLIP, CLOSE, icon, SEND } from './icons'
import { authorize, client, current, local, state } from './session'
import { fill, megabytes, t } from './text'

const MOST_PX = 5 * 24 + 16
/** Safari ends the composition before the Enter that ended it. */
const AFTER_COMPOSITION_MS = 30
const SAVE_MS = 250

export const touch = matchMedia('(pointer: coarse)').matches
const picker = h<HTMLInputElement>('input', {
  type: 'file', multiple: true, hidden: true,
  onchange: () => {
    void add(picker.files!)
    picker.value = ''
  },
})
const input = h<HTMLTextAreaElement>('textarea', {
  rows: 1, dir: 'auto', enterKeyHint: touch ? 'enter' : 'send',
  oninput: changed, onblur: () => typing(false),
  onkeydown: (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || touch || event.isComposing || event.keyCode === 229
      || Date.now() - composedAt < AFTER_COMPOSITION_MS) return
    event.preventDefault()
    submit()
  },
  onpaste: (event: ClipboardEvent) => take(event, event.clipboardData),
})
const clip = h('button.icon', { onclick: () => picker.click() }, icon(CLIP))
const button = h<HTMLButtonElement>('button.send', {
  disabled: true,
  onclick: () => {
    submit()
    input.focus()
  },
}, icon(SEND))
const count = h('span.count', { hidden: true, role: 'status' })
const notice = h('p.notice', { hidden: true, role: 'alert' })
const tray = h('div.tray')
let composing = false
let composedAt = 0
let saving: ReturnType<typeof setTimeout> | undefined
let send: (text: string) => void
/** What handles files, fetched with the first one. */
let files: Files | undefined
let fetching: Promise<{ default(kit: Kit): Files }> | undefined

export const composer = h('div.composer', {
  ondragover: (event: DragEvent) => event.preventDefault(),
  ondrop: (event: DragEvent) => take(event, event.dataTransfer),
}, notice, tray, input, count, picker, clip, button)

export function beginComposer(act: typeof send): void {
  send = act
  input.addEventListener('compositionstart', () => { composing = true })
  input.addEventListener('compositionend', () => {
    composing = false
    composedAt = Date.now()
    changed()
  })
  speakComposer()
  setText(context.recall('draft') ?? '')
}

export function text(): string {
  return input.value
}

export function setText(to: string): void {
  input.value = to
  changed()
}

/** What another tab typed, unless someone types here. */
export function adoptText(): void {
  const draft = context.recall('draft') ?? ''
  if (composing || (document.hasFocus() && input.matches(':focus')) || draft === input.value) return
  input.value = draft
  fit()
}

/** Puts back what could not be sent, and says why. */
export function restore(back: string, why = ''): void {
  setText(input.value ? `${back}\n${input.value}` : back)
  warn(why && fill(t.failed_blocked, why))
  focusComposer()
}

export function speakComposer(): void {
  input.placeholder = input.ariaLabel = t.write
  button.ariaLabel = t.send
  clip.ariaLabel = t.attach
}

export function focusComposer(): void {
  input.focus({ preventScroll: true })
}

/** Writes the unsent text down now (the page is going away). */
export function flush(): void {
  if (saving === undefined) return
  clearTimeout(saving)
  saving = undefined
  context.remember('draft', input.value)
}

/** Sizes the box, counts what is left, and says whether there is something to send. */
export function fit(): void {
  const { value } = input
  const size = new TextEncoder().encode(value).length
  const limit = client.limits.text_bytes
  // Chinese takes three bytes a character: count what is left in characters of the text's own kind.
  const left = Math.trunc((limit - size) / Math.max(1, size / value.length || 1))
  button.disabled = size > limit || !(value.trim() || files?.waiting())
  count.hidden = size < limit * 0.8
  count.textContent = fill(left < 0 ? t.too_long : t.left, Math.abs(left))
  count.classList.toggle('bad', left < 0)
  clip.hidden = !context.config.limits?.file_types?.length
  if (composing) return
  input.style.height = 'auto'
  input.style.height = `${Math.min(input.scrollHeight, MOST_PX)}px`
}

function changed(): void {
  warn('')
  fit()
  typing(input.value !== '')
  clearTimeout(saving)
  saving = setTimeout(flush, SAVE_MS)
}

function warn(why: string): void {
  notice.textContent = why
  notice.hidden = !why
}

function typing(on: boolean): void {
  if (state() === 'active') client.typing(current!, on)
}

function take(event: Event, from: DataTransfer | null): void {
  if (!from?.files.length) return
  event.preventDefault()
  void add(from.files)
}

async function add(list: FileList): Promise<void> {
  // The list empties itself when its input does.
  const picked = [...list]
  try {
    const { default: beginFiles } = await (fetching ??= context.part(3))
    files ??= beginFiles({
      context, client, tray, h, fill, megabytes, authorize, changed: fit, words: () => t,
      cross: () => icon(CLOSE, 16), place: () => (local() ? undefined : current),
    })
    warn(files.attach(picked))
    fit()
  } catch {
    fetching = undefined
    warn(`${picked[0]?.name}: ${t.file_failed}`)
  }
}

/** Starts what waits for a conversation. */
export function uploadFiles(): void {
  files?.upload()
}

function submit(): void {
  if (button.disabled) return
  send(input.value.trim())
  files?.release()
  typing(false)
  setText('')
  flush()
}
