// kefu.js: what a page loads. Asks the server whether there is anything to show, draws the launcher, and fetches the
// panel when someone reaches for it. If the server does not answer, nothing at all appears. No cookie, no storage and no
// socket before the first opening.

import { brand, textOn } from './color'
import type { Config, Context, Options, Panel } from './context'
import css from './launcher.css?inline'

declare const __PANEL__: string

type Args = [string, ...unknown[]]
type Kefu = ((...args: Args) => void) & { q?: ArrayLike<unknown>[] }

const NS = 'http://www.w3.org/2000/svg'
const script = document.currentScript as HTMLScriptElement | null
const source = script?.src ?? new URL('/kefu.js', location.href).href
const page = window as unknown as { kefu?: Kefu }
const listeners = new Map<string, Set<(data?: unknown) => void>>()

let options: Options | undefined
let context: Context | undefined
let panel: Panel | undefined
let loading: Promise<Panel | undefined> | undefined
let opened = false
let wanted = false
let words: string | undefined
let wait = 30_000
let retry: ReturnType<typeof setTimeout> | undefined
let seenCount = -1
const watch = new MutationObserver(() => {
  if (context && !context.host.isConnected) document.documentElement.append(context.host)
})

function emit(event: string, data?: unknown): void {
  for (const fn of listeners.get(event) ?? []) {
    try { fn(data) } catch (error) { setTimeout(() => { throw error }) }
  }
}

async function boot(next: Options): Promise<void> {
  if (options?.site === next.site) return
  shutdown(false)
  options = next
  await load()
}

async function load(): Promise<void> {
  retry = undefined
  const mine = options
  if (!mine) return
  try {
    const url = new URL(`/v1/sites/${encodeURIComponent(mine.site)}/widget`, source)
    const answer = await fetch(url, { credentials: 'omit', signal: AbortSignal.timeout(4_000) })
    if (answer.status === 404 || answer.status === 403) return
    if (!answer.ok) throw new Error(String(answer.status))
    const config = (await answer.json()) as Config
    if (options !== mine || !config.enabled) return
    draw(config, mine)
  } catch {
    if (options !== mine) return
    retry = setTimeout(() => void load(), wait)
    wait = Math.min(wait * 2, 300_000)
  }
}

function draw(config: Config, mine: Options): void {
  document.getElementById('kefu-widget')?.remove()
  const host = document.createElement('kefu-widget')
  host.id = 'kefu-widget'
  host.setAttribute('data-turbo-permanent', '')
  host.dataset['side'] = config.position === 'left' ? 'left' : 'right'
  const root = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(css)
  root.adoptedStyleSheets = [sheet]
  const color = brand(config.color)
  host.style.setProperty('--brand', color)
  host.style.setProperty('--on-brand', textOn(color))
  host.style.setProperty('--z', String(mine.zIndex ?? 2147483000))
  for (const type of ['keydown', 'keyup', 'keypress', 'paste']) {
    host.addEventListener(type, (event) => event.stopPropagation())
  }
  const launcher = button(config)
  const preview = document.createElement('div')
  preview.className = 'preview'
  preview.setAttribute('role', 'status')
  preview.hidden = true
  const [line, dismiss] = [document.createElement('button'), document.createElement('button')]
  line.onclick = () => toggle(true)
  dismiss.textContent = '×'
  dismiss.setAttribute('aria-label', chinese() ? '忽略' : 'Dismiss')
  dismiss.onclick = () => { preview.hidden = true }
  preview.append(line, dismiss)
  root.append(preview, launcher)
  context = {
    base: new URL(source).origin, config, options: mine, host, root, launcher, emit, toggle,
    unread: (count, text) => unread(launcher, preview, count, text),
  }
  document.documentElement.append(host)
  // A page that swaps whole documents takes the widget along.
  watch.observe(document.documentElement, { childList: true })
  emit('ready')
  // Someone who talked to us before may have an answer waiting.
  const open = wanted
  wanted = false
  if (open) {
    toggle(true)
    write()
  }
  else if (stored('sessionStorage', 'shown') && innerWidth >= 480) toggle(true, false)
  else if (stored('localStorage', 'conversation')) void reach()
}

function chinese(): boolean {
  return /^zh/i.test(options?.locale ?? navigator.language)
}

function button(config: Config): HTMLButtonElement {
  const launcher = document.createElement('button')
  launcher.className = 'launcher'
  launcher.type = 'button'
  launcher.dataset['label'] = `${chinese() ? '在线客服' : 'Chat with'} ${config.site.name}`
  launcher.setAttribute('aria-label', launcher.dataset['label'])
  launcher.setAttribute('aria-expanded', 'false')
  launcher.setAttribute('aria-haspopup', 'dialog')
  const svg = document.createElementNS(NS, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  const shapes = [
    'M4 2h16a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3h-8.2L6.5 22.3V18H4a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3z',
    'M9 5.7v8.6M15.4 5.7 9.4 10.2l6 4.1',
  ]
  for (const [n, d] of shapes.entries()) {
    const path = document.createElementNS(NS, 'path')
    path.setAttribute('d', d)
    path.setAttribute('class', n === 0 ? 'bubble' : 'letter')
    svg.append(path)
  }
  const badge = document.createElement('span')
  badge.className = 'badge'
  badge.hidden = true
  launcher.append(svg, badge)
  launcher.onclick = () => toggle(!opened)
  launcher.addEventListener('pointerenter', () => void reach(), { passive: true, once: true })
  launcher.addEventListener('focus', () => void reach(), { once: true })
  return launcher
}

function unread(launcher: HTMLElement, preview: HTMLElement, count: number, text?: string): void {
  const badge = launcher.querySelector<HTMLElement>('.badge')!
  badge.hidden = count === 0
  badge.dataset['n'] = count > 99 ? '99+' : String(count)
  const label = launcher.dataset['label'] ?? ''
  launcher.setAttribute('aria-label', count > 0 ? `${label} (${badge.dataset['n']})` : label)
  preview.hidden = count === 0 || !text || opened
  preview.firstElementChild!.textContent = text ?? ''
  if (count !== seenCount) emit('unread', count)
  seenCount = count
}

function stored(where: 'localStorage' | 'sessionStorage', name: string): string | null {
  try {
    return window[where].getItem(`kefu:${options?.site}:${name}`)
  } catch {
    return null
  }
}

function reach(): Promise<Panel | undefined> {
  const mine = context
  if (!mine) return Promise.resolve(undefined)
  loading ??= (import(/* @vite-ignore */ new URL(__PANEL__, source).href) as Promise<{
    create(context: Context): Panel
  }>).then(({ create }) => (context === mine ? panel = create(mine) : undefined)).catch((error: unknown) => {
    loading = undefined
    emit('error', error)
    return undefined
  })
  return loading
}

// What the page wants to have written, perhaps before anything was loaded.
function write(): void {
  void reach().then((it) => {
    if (it && words !== undefined) it.compose(words)
    if (it) words = undefined
  })
}

function toggle(open: boolean, focus = true): void {
  wanted = open
  if (!context || opened === open) return
  void reach().then((it) => {
    if (!it || wanted !== open || opened === open) return
    opened = open
    context?.launcher.setAttribute('aria-expanded', String(open))
    context?.host.toggleAttribute('data-open', open)
    if (open) it.show(focus)
    else it.hide()
    emit(open ? 'open' : 'close')
  })
}

function shutdown(clear: boolean): void {
  clearTimeout(retry)
  watch.disconnect()
  panel?.destroy(clear)
  if (clear) {
    try {
      for (const store of [localStorage, sessionStorage]) {
        for (const name of Object.keys(store)) {
          if (name.startsWith(`kefu:${options?.site}:`)) store.removeItem(name)
        }
      }
    } catch { /* storage is off */ }
  }
  context?.host.remove()
  context = panel = loading = options = retry = words = undefined
  opened = wanted = false
  wait = 30_000
}

const commands: Record<string, (...args: never[]) => void> = {
  boot: (next: Partial<Options> = {}) => {
    const site = next.site ?? script?.dataset['site']
    if (site) void boot({ ...defaults(), ...next, site })
  },
  shutdown: () => shutdown(true),
  open: () => toggle(true),
  close: () => toggle(false),
  toggle: () => toggle(!opened),
  show: () => { if (context) context.host.hidden = false },
  hide: () => { if (context) context.host.hidden = true },
  newMessage: (text: string) => {
    words = String(text ?? '')
    toggle(true)
    write()
  },
  update: (next: Partial<Options>) => change(next),
  identify: (who: Record<string, string>) => change({ attributes: who }),
  track: (name: string) => change({ attributes: { track: String(name) } }),
  on: (event: string, fn: () => void) => {
    listeners.set(event, (listeners.get(event) ?? new Set()).add(fn))
    if (event === 'ready' && context) fn()
  },
  off: (event: string, fn: () => void) => { listeners.get(event)?.delete(fn) },
}

function defaults(): Partial<Options> {
  const { locale, theme, zIndex } = script?.dataset ?? {}
  return {
    ...(locale ? { locale } : {}),
    ...(theme === 'dark' || theme === 'light' ? { theme } : {}),
    ...(zIndex ? { zIndex: Number(zIndex) } : {}),
  }
}

function change(next: Partial<Options>): void {
  if (!options) return
  const attributes = { ...options.attributes, ...next?.attributes }
  Object.assign(options, next, { attributes })
  panel?.update()
}

const warned = new Set<string>()
const kefu: Kefu = (name, ...args) => {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command) return command(...(args as never[]))
  if (!warned.has(name)) console.warn(`kefu: unknown command "${name}"`)
  warned.add(name)
}

// A second copy of the script leaves the first one alone.
if (!page.kefu || page.kefu.q) {
  const queued = page.kefu?.q ?? []
  page.kefu = kefu
  if (script?.dataset['site']) commands['boot']!()
  for (const call of Array.from(queued)) kefu(...(Array.from(call) as Args))
}
