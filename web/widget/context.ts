// What the loader hands to the panel, and what they have in common: types, and what is remembered of a site.

import type words from '../i18n/widget.en.json'

export type Locale = 'zh-CN' | 'en'
export type Words = typeof words
export type Label = Record<string, string>

export interface Field {
  name: string
  kind: 'text' | 'email' | 'tel' | 'select'
  label: Label
  required: boolean
  options?: { value: string; label: Label }[]
}

export interface Config {
  site: { key: string; name: string }
  enabled: boolean
  color: string
  position: string
  greeting: Label
  fields: Field[]
  online: boolean
  /** Nobody may write whom the site does not vouch for. */
  identity_required?: boolean
  limits?: { file_bytes?: number; file_types?: string[] }
}

export interface Options {
  site: string
  locale?: string
  theme?: 'light' | 'dark' | 'auto'
  zIndex?: number
  /** Answers the page knows already, by the name of the site's field. */
  attributes?: Record<string, string>
  /** Who it is, signed by the site's own server. */
  identity?: Identity | undefined
}

export interface Identity { id: string; name?: string; email?: string; signature: string }

export interface Context {
  base: string
  config: Config
  options: Options
  host: HTMLElement
  root: ShadowRoot
  launcher: HTMLElement
  /** What was remembered by the browser or, with `tab`, by this tab alone; nothing where storage is off. */
  recall<T = string>(name: string, tab?: boolean): T | undefined
  /** Nothing forgets it. */
  remember(name: string, value?: unknown, tab?: boolean): void
  dress(css: string): void
  /** The language wished for, and what it is spoken with. */
  locale(): Locale
  words(locale: Locale): Promise<Words>
  /** Asks the server, without cookies; an answer takes at most 4 s. */
  call(path: string, more?: RequestInit): Promise<Response>
  /** Asks for the site's configuration. */
  ask(options: Options, more?: RequestInit): Promise<Response>
  /** Fetches a file that only some need: 3 is what handles files. */
  part<T>(n: number): Promise<T>
  emit(event: string, data?: unknown): void
  /** Shows the unread figure and the newest line beside the launcher. */
  unread(count: number, preview?: string): void
  /** The panel asks to be closed or opened (its own buttons, the preview). */
  toggle(open: boolean, focus?: boolean): void
}

/** What the built panel's file gives: it makes its elements with the loader's own functions. */
export type Begin = (...dom: unknown[]) => Create
export type Create = (context: Context, locale: Locale, words: Words) => Panel

export interface Panel {
  /** `focus`: someone asked for it here, not in another tab and not on the page before. */
  show(focus: boolean): void
  hide(): void
  /** Opens the composer with this text. */
  compose(text: string): void
  /** Options changed: language, theme. */
  update(): void
  /** Leaves the page; with `clear` the server and the store forget this tab too (sign-out). */
  destroy(clear: boolean): void
}
