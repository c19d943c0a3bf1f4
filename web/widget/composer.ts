// Where the visitor types. Nothing touches the text while an input method composes, and Enter that picks a candidate
// never sends.

import { h, put } from './dom'
import { icon } from './icons'
import type { Words } from './text'

const MOST_LINES = 5
const LINE_PX = 24
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
  private readonly button = h<HTMLButtonElement>('button.send', { type: 'button', disabled: true })
  private readonly count = h('span.count', { hidden: true, role: 'status' })
  private composedAt = 0
  private saving: ReturnType<typeof setTimeout> | undefined

  constructor(private words: Words, private readonly act: ComposerActions) {
    const { input, button } = this
    const touch = matchMedia('(pointer: coarse)').matches
    input.setAttribute('enterkeyhint', touch ? 'enter' : 'send')
    put(button, icon('send'))
    this.element = h('div.composer', {}, input, this.count, button)
    input.addEventListener('compositionend', () => { this.composedAt = performance.now() })
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || touch) return
      if (event.isComposing || event.keyCode === 229) return
      if (performance.now() - this.composedAt < AFTER_COMPOSITION_MS) return
      event.preventDefault()
      this.send()
    })
    input.addEventListener('input', (event) => this.changed((event as InputEvent).isComposing))
    input.addEventListener('blur', () => this.act.typing(false))
    button.onclick = () => {
      this.send()
      input.focus()
    }
    this.speak(words)
  }

  get text(): string {
    return this.input.value
  }

  set text(text: string) {
    this.input.value = text
    this.changed(false)
  }

  speak(words: Words): void {
    this.words = words
    this.input.placeholder = words.t('write')
    this.input.setAttribute('aria-label', words.t('write'))
    this.button.setAttribute('aria-label', words.t('send'))
  }

  focus(): void {
    this.input.focus({ preventScroll: true })
  }

  /** Writes the unsent text down now (the page is going away). */
  flush(): void {
    clearTimeout(this.saving)
    this.act.draft(this.input.value)
  }

  private changed(composing: boolean): void {
    const { input } = this
    const text = input.value
    const size = new TextEncoder().encode(text).length
    const limit = this.act.limit()
    this.button.disabled = text.trim() === '' || size > limit
    this.count.hidden = size < limit * 0.8
    // Chinese takes three bytes a character: count what is left in characters of the text's own kind.
    const left = Math.trunc((limit - size) / Math.max(1, size / Math.max(1, text.length)))
    this.count.textContent = left < 0 ? this.words.t('too_long', { n: -left }) : this.words.t('left', { n: left })
    this.count.classList.toggle('danger', left < 0)
    if (!composing) {
      input.style.height = 'auto'
      input.style.height = `${Math.min(input.scrollHeight, MOST_LINES * LINE_PX + 16)}px`
    }
    this.act.typing(text !== '')
    clearTimeout(this.saving)
    this.saving = setTimeout(() => this.act.draft(text), 250)
  }

  private send(): void {
    const text = this.input.value.trim()
    if (this.button.disabled || !text) return
    this.act.send(text)
    this.act.typing(false)
    this.text = ''
    this.flush()
  }
}
