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
  onsubmit(values: Record<string, string>): void
  onchange(values: Record<string, string>): void
  onback?: () => void
}

const AUTOCOMPLETE: Record<string, string> = { email: 'email', tel: 'tel', name: 'name' }
const CONTACT: Field = { name: '_contact', kind: 'text', label: {}, required: true }

export function form(ask: FormAsk): HTMLElement {
  const { values } = ask
  const needsContact = ask.message && !ask.fields.some((f) => f.kind === 'email' || f.kind === 'tel')
  const fields = [...ask.fields.slice(0, 4), ...(needsContact ? [CONTACT] : [])]
  const checks: (() => HTMLElement | undefined)[] = []
  const add = (field: Field, input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement,
    title: string): HTMLElement => {
    const error = h('p.error', { id: `e-${field.name}`, hidden: true })
    input.id = `f-${field.name}`
    input.value = values[field.name] ?? ''
    input.setAttribute('aria-describedby', error.id)
    const check = (): HTMLElement | undefined => {
      const wrong = problem(field, input.value)
      error.hidden = !wrong
      error.textContent = wrong ?? ''
      input.setAttribute('aria-invalid', String(!!wrong))
      return wrong ? input : undefined
    }
    input.onblur = () => { if (input.value || !error.hidden) check() }
    input.oninput = () => {
      values[field.name] = input.value
      ask.onchange(values)
      if (!error.hidden) check()
    }
    checks.push(check)
    return h('div.field', {}, h('label', { htmlFor: input.id }, title), input, error)
  }
  const rows = fields.map((field) => add(field, control(field),
    field === CONTACT ? t.contact : label(field.label) ?? field.name))
  if (ask.message) {
    const text: Field = { name: '_text', kind: 'text', label: {}, required: true }
    rows.push(add(text, h<HTMLTextAreaElement>('textarea', { rows: 4 }), t.message))
  }
  const node = h<HTMLFormElement>('form.form', { noValidate: true },
    h('p.intro', {}, ask.intro), ...rows,
    h('button.primary', { type: 'submit' }, ask.submit),
    ask.onback && h('button.quiet', { onclick: ask.onback }, t.back),
    h('p.consent', {}, t.consent))
  node.onsubmit = (event) => {
    event.preventDefault()
    const wrong = checks.map((check) => check()).find((one) => one)
    if (wrong) wrong.focus()
    else ask.onsubmit(values)
  }
  return node
}

function control(field: Field): HTMLInputElement | HTMLSelectElement {
  const autocomplete = AUTOCOMPLETE[field.name] ?? AUTOCOMPLETE[field.kind] ?? 'off'
  if (field.kind !== 'select') {
    return h<HTMLInputElement>('input', { type: field.kind, autocomplete, maxLength: 200 })
  }
  return h<HTMLSelectElement>('select', {},
    h('option', { value: '' }, t.choose),
    ...(field.options ?? []).map(({ value, label: of }) =>
      h('option', { value }, label(of) ?? value)))
}

function problem(field: Field, value: string): string | undefined {
  const text = value.trim()
  if (!text) return field.required ? t.required : undefined
  if (field.kind === 'email' && !/^\S+@\S+\.\S+$/.test(text)) return t.bad_email
  if (field.kind === 'tel' && !/^[+\d][\d\s()-]{4,}$/.test(text)) return t.bad_tel
  return undefined
}

export function rating(
  onrate: (score: number, comment: string) => void, onskip: () => void,
): HTMLElement {
  let score = 0
  const comment = h<HTMLTextAreaElement>('textarea', {
    rows: 2, maxLength: 500, placeholder: t.rate_more, 'aria-label': t.rate_more,
  })
  const send = h('button.primary', {}, t.rate_send)
  const more = h('div.more', { hidden: true }, comment, send)
  send.onclick = () => onrate(score, comment.value.trim())
  const faces = t.rate_words.split('|').map((word, n) => {
    const one = h('button.face', { 'aria-pressed': 'false' }, face(n + 1), h('span', {}, word))
    one.onclick = () => {
      score = n + 1
      more.hidden = false
      for (const other of faces) other.setAttribute('aria-pressed', String(other === one))
    }
    return one
  })
  return h('section.card', { 'aria-label': t.rate_title },
    h('p.title', {}, t.rate_title), h('div.faces', {}, ...faces), more,
    h('button.quiet', { onclick: onskip }, t.skip))
}
