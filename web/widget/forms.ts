// Forms of the panel: pre-chat, leaving a message, rating.

import type { Field } from './context'
import { h } from './dom'
import { face } from './icons'
import { label, t } from './text'

export interface FormAsk {
  fields: Field[]
  intro: string
  submit: string
  values: Record<string, string>
  /** With a text for an agent to read later. */
  message: boolean
  onsubmit(): void
  onchange(): void
  onback: (() => void) | false
}

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement

export function form({ fields, intro, submit, values, message, onsubmit, onchange, onback }: FormAsk): HTMLElement {
  const checks: (() => HTMLElement | false)[] = []
  const add = (field: Field, input: Input, title = field.name): HTMLElement => {
    const { name } = field
    const error = h('p.error', { id: `e-${name}`, hidden: true })
    const check = (): HTMLElement | false => {
      const wrong = problem(field, input.value.trim())
      error.hidden = !wrong
      error.textContent = wrong
      input.ariaInvalid = `${!!wrong}`
      return !!wrong && input
    }
    checks.push(check)
    input.setAttribute('aria-describedby', error.id)
    Object.assign(input, {
      id: `f-${name}`,
      value: values[name] ?? '',
      onblur: () => { if (input.value || !error.hidden) check() },
      oninput: () => {
        values[name] = input.value
        onchange()
        if (!error.hidden) check()
      },
    })
    return h('div.field', {}, h('label', { htmlFor: input.id }, title), input, error)
  }
  const rows = fields.slice(0, 4).map((field) => add(field, control(field), label(field.label)))
  if (message) {
    const own = (name: string): Field => ({ name, kind: 'text', label: {}, required: true })
    if (!fields.some(({ kind }) => SHAPES[kind])) rows.push(add(own('_contact'), control(own('')), t.contact))
    rows.push(add(own('_text'), h<HTMLTextAreaElement>('textarea', { rows: 4 }), t.message))
  }
  return h('form.form', {
    noValidate: true,
    onsubmit: (event: Event) => {
      event.preventDefault()
      const [wrong] = checks.map((check) => check()).filter(Boolean)
      if (wrong) wrong.focus()
      else onsubmit()
    },
  }, h('p.intro', {}, intro), ...rows, h('button.main', { type: 'submit' }, submit),
  onback && h('button.quiet', { type: 'button', onclick: onback }, t.back), h('p.fine', {}, t.consent))
}

const SHAPES: Record<string, RegExp> = { email: /^\S+@\S+\.\S+$/, tel: /^[+\d][\d\s()-]{4,}$/ }

function problem({ kind, required }: Field, text: string): string {
  if (!text) return required ? t.required : ''
  if (SHAPES[kind]?.test(text) ?? true) return ''
  return kind === 'email' ? t.bad_email : t.bad_tel
}

function control({ name, kind, options = [] }: Field): Input {
  if (kind !== 'select') {
    const autocomplete = [name, kind].find((one) => /^(name|email|tel)$/.test(one)) ?? 'off'
    return h<HTMLInputElement>('input', { type: kind, autocomplete, maxLength: 200 })
  }
  return h<HTMLSelectElement>('select', {}, h('option', { value: '' }, t.choose),
    ...options.map(({ value, label: of }) => h('option', { value }, label(of) ?? value)))
}

type Rated = (score: number, comment: string) => void

/** `score`: what was given before, 0 for nothing. */
export function rating(score: number, onrate: Rated, onskip: () => void): HTMLElement {
  const comment = h<HTMLTextAreaElement>('textarea', {
    rows: 2, maxLength: 500, placeholder: t.rate_more, ariaLabel: t.rate_more,
  })
  const more = h('div.more', { hidden: !score }, comment,
    h('button.main', { onclick: () => onrate(score, comment.value.trim()) }, t.rate_send))
  const faces = t.rate_words.split('|').map((word, n) => h('button.face', {
    ariaPressed: `${n + 1 === score}`,
    onclick: () => {
      score = n + 1
      more.hidden = false
      faces.forEach((one, m) => { one.ariaPressed = `${m === n}` })
    },
  }, face(n + 1), h('span', {}, word)))
  return h('section.card', { ariaLabel: t.rate_title },
    h('p.title', {}, t.rate_title), h('div.faces', {}, ...faces), more,
    h('button.quiet', { onclick: onskip }, t.skip))
}
