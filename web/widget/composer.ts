// Where the visitor types. Nothing touches the text while an input method composes, and Enter that picks a candidate
// never sends.

import { h } from './dom'
import { icon } from './icons'
import { fill, t } from './text'

const MOST_PX = 5 * 24 + 16
/** Safari ends the composition before the Enter that ended it. */
const AFTER_COMPOSITION_MS = 30

export interface ComposerActions {
  send(text: string): void
  typing(on: boolean): void
  draft(text: string): void
  limit(): number
}

export class Composer {
  readonly element: HTMLElement
  private readonly input = h<HTMLTextAreaElement>('textarea', { rows: 1, dir: 'auto' })
  private readonly button = h<HTMLButtonElement>('button.send', { disabled: true }, icon('send'))
  private readonly count = h('span.count', { hidden: true, role: 'status' })
  private readonly notice = h('p.notice', { hidden: true, role: 'alert' })
  private composedAt = 0
  private composing = false
  private saving: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly act: ComposerActions) {
    const { input, button } = this
    const touch = matchMedia('(pointer: coarse)').matches
    input.setAttribute('enterkeyhint', touch ? 'enter' : 'send')
    this.element = h('div.composer', {}, this.notice, input, this.count, button)
    input.addEventListener('compositionstart', () => { this.composing = true })
    input.addEventListener('compositionend', () => {
      this.composing = false
      this.composedAt = performance.now()
      this.changed()
    })
    input.onkeydown = (event) => {
      if (event.key !== 'Enter' || event.shiftKey || touch) return
      if (event.isComposing || event.keyCode === 229) return
      if (performance.now() - this.composedAt < AFTER_COMPOSITION_MS) return
      event.preventDefault()
      this.send()
    }
    input.oninput = () => this.changed()
    input.onblur = () => this.act.typing(false)
    button.onclick = () => {
      this.send()
      input.focus()
    }
    this.speak()
  }

  get text(): string {
    return this.input.value
  }

  set text(text: string) {
    this.input.value = text
    this.changed()
  }

  /** What another tab typed, unless someone types here. */
  adopt(text: string): void {
    if (this.composing || (document.hasFocus() && this.input.matches(':focus')) || text === this.text) return
    this.input.value = text
    this.fit()
  }

  /** Puts back what could not be sent, and says why. */
  restore(text: string, why = ''): void {
    this.text = this.text ? `${text}\n${this.text}` : text
    this.notice.textContent = why
    this.notice.hidden = !why
    this.focus()
  }

  speak(): void {
    this.input.placeholder = t.write
    this.input.setAttribute('aria-label', t.write)
    this.button.setAttribute('aria-label', t.send)
  }

  focus(): void {
    this.input.focus({ preventScroll: true })
  }

  /** Writes the unsent text down now (the page is going away). */
  flush(): void {
    if (this.saving === undefined) return
    clearTimeout(this.saving)
    this.saving = undefined
    this.act.draft(this.text)
  }

  private changed(): void {
    this.notice.hidden = true
    this.fit()
    this.act.typing(this.text !== '')
    clearTimeout(this.saving)
    this.saving = setTimeout(() => this.flush(), 250)
  }

  private fit(): void {
    const { input, text, count } = this
    const size = new TextEncoder().encode(text).length
    const limit = this.act.limit()
    this.button.disabled = text.trim() === '' || size > limit
    count.hidden = size < limit * 0.8
    // Chinese takes three bytes a character: count what is left in characters of the text's own kind.
    const left = Math.trunc((limit - size) / Math.max(1, size / Math.max(1, text.length)))
    count.textContent = fill(left < 0 ? t.too_long : t.left, Math.abs(left))
    count.classList.toggle('danger', left < 0)
    if (this.composing) return
    input.style.height = 'auto'
    input.style.height = `${Math.min(input.scrollHeight, MOST_PX)}px`
  }

  private send(): void {
    const text = this.text.trim()
    if (this.button.disabled || !text) return
    this.act.send(text)
    this.act.typing(false)
    this.text = ''
    this.flush()
  }
}
