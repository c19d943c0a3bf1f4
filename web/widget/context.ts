// What the loader hands to the panel. The two bundles share types and nothing else.

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
}

export interface Options {
  site: string
  locale?: string
  theme?: 'light' | 'dark' | 'auto'
  zIndex?: number
  /** Answers the page knows already, by the name of the site's field. */
  attributes?: Record<string, string>
}

export interface Context {
  base: string
  config: Config
  options: Options
  host: HTMLElement
  root: ShadowRoot
  launcher: HTMLButtonElement
  emit(event: string, data?: unknown): void
  /** Shows the unread figure and the newest line beside the launcher. */
  unread(count: number, preview?: string): void
  /** The panel asks to be closed or opened (its own buttons, the preview). */
  toggle(open: boolean, focus?: boolean): void
}

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
