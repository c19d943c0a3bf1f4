// kefu.js: what a page loads. Asks the server whether there is anything to show, draws the launcher, and fetches the
// panel when someone reaches for it. If the server does not answer, nothing at all appears. No cookie, no storage and no
// socket before the first opening.

import { brand, textOn } from './color'
import type { Begin, Config, Context, Identity, Locale, Options, Panel, Words } from './context'
import { h, put, svg } from './dom'
import css from './launcher.css?inline'
import { pickLocale } from './locale'

/** Names of files: the panel, Chinese, English, what handles files. */
declare const __PARTS__: string[]

type Args = [string, ...unknown[]]
type Kefu = ((...args: Args) => void) & { q?: Iterable<unknown>[] }
type Listener = (data?: unknown) => void

const LOGO = ['M4 2h16a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3h-8.2L6.5 22.3V18H4a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3z',
  'M9 5.7v8.6M15.4 5.7 9.4 10.2l6 4.1']
const FIRST_WAIT_MS = 30_000
const LONGEST_WAIT_MS = 300_000
const script = document.currentScript as HTMLScriptElement | null
const source = script?.src ?? new URL('/kefu.js', location.href).href
const page = window as unknown as { kefu?: Kefu }

let listeners: [string, Listener][] = []
let options: Options | undefined
let context: Context | undefined
let panel: Panel | undefined
let loading: Promise<[{ default: Begin }, Words]> | undefined
/** Goes into the names of fetched files, so that a failure is not kept. */
let loads = 0
let opened = false
let wanted = false
/** What the page wants to have written, perhaps before anything was loaded. */
let draft: string | undefined
let wait = FIRST_WAIT_MS
let retry: ReturnType<typeof setTimeout> | undefined
// A page that swaps whole documents takes the widget along.
const watch = new MutationObserver(() => {
  if (context && !context.host.isConnected) document.documentElement.append(context.host)
})

function emit(event: string, data?: unknown): void {
  for (const [name, fn] of listeners) {
    try {
      if (name === event) fn(data)
    } catch (error) {
      reportError(error)
    }
  }
}

function boot(next?: Partial<Options>): void {
  const wish = { ...script?.dataset, ...next } as Options
  if (!wish.site || options?.site === wish.site) return
  shutdown(false)
  options = wish
  void load(wish)
}

function call(path: string, more?: RequestInit): Promise<Response> {
  return fetch(new URL(path, source), { credentials: 'omit', signal: AbortSignal.timeout(4_000), ...more })
}

function ask({ site }: Options, more?: RequestInit): Promise<Response> {
  return call(`/v1/sites/${encodeURIComponent(site)}/widget`, more)
}

async function load(mine: Options): Promise<void> {
  try {
    const answer = await ask(mine)
    if (!answer.ok) {
      // No such site, not on this page: asking again changes nothing.
      if (answer.status < 429) return
      throw answer
    }
    const config = (await answer.json()) as Config
    if (options !== mine || context || !config.enabled) return
    if (mine.identity || !config.identity_required) draw(config, mine)
  } catch {
    if (options !== mine) return
    retry = setTimeout(() => void load(mine), wait)
    wait = Math.min(wait * 2, LONGEST_WAIT_MS)
  }
}

function draw(config: Config, mine: Options): void {
  document.getElementById('kefu-widget')?.remove()
  const chinese = locale() === 'zh-CN'
  const title = `${chinese ? '在线客服' : 'Chat with'} ${config.site.name}`
  const badge = h('span.badge', { hidden: true })
  const launcher = h('button.launcher', {
    ariaLabel: title, ariaExpanded: 'false', ariaHasPopup: 'dialog',
    onclick: () => toggle(!opened), onfocus: reach, onpointerenter: reach,
  }, svg(24, 28, ...LOGO), badge)
  const line = h('button', { onclick: () => toggle(true) })
  const preview = h('div.preview', { role: 'status', hidden: true }, line, h('button', {
    ariaLabel: chinese ? '忽略' : 'Dismiss', onclick: () => { preview.hidden = true },
  }, '×'))
  const host = h('kefu-widget', { id: 'kefu-widget' })
  const color = brand(config.color)
  host.style.cssText = `--brand:${color};--on-brand:${textOn(color)};--z:${mine.zIndex ?? 2147483000}`
  Object.assign(host.dataset, { turboPermanent: '', side: config.position })
  for (const type of ['keydown', 'keyup', 'keypress', 'paste']) {
    host.addEventListener(type, (event) => event.stopPropagation())
  }
  const root = host.attachShadow({ mode: 'open' })
  context = {
    base: new URL(source).origin, config, options: mine, host, root, launcher, recall, remember, emit, toggle, locale, words, part, call, ask,
    dress: (text) => {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync(text)
      root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]
    },
    unread: (count, text = '') => {
      const figure = badge.dataset['n'] = count > 99 ? '99+' : `${count}`
      badge.hidden = !count
      launcher.ariaLabel = count ? `${title} (${figure})` : title
      preview.hidden = !count || !text || opened
      line.textContent = text
      emit('unread', count)
    },
  }
  context.dress(css)
  root.append(preview, launcher)
  document.documentElement.append(host)
  watch.observe(document.documentElement, { childList: true })
  emit('ready')
  if (wanted) void toggle(true)
  else if (recall('shown', true) && innerWidth >= 480) void toggle(true, false)
  // Someone who talked to us before may have an answer waiting.
  else if (recall('conversation')) void reach()
}

function area(tab?: boolean): Storage {
  return tab ? sessionStorage : localStorage
}

function recall<T>(name: string, tab?: boolean): T | undefined {
  try {
    return JSON.parse(area(tab).getItem(`kefu:${options?.site}:${name}`)!) ?? undefined
  } catch {
    return undefined
  }
}

function remember(name: string, value?: unknown, tab?: boolean): void {
  const key = `kefu:${options?.site}:${name}`
  try {
    if (value) area(tab).setItem(key, JSON.stringify(value))
    else area(tab).removeItem(key)
  } catch { /* storage is off: nothing survives, everything works */ }
}

function locale(): Locale {
  return pickLocale(recall('locale'), options?.locale, ...navigator.languages)
}

async function part<T>(n: number): Promise<T> {
  const address = `${new URL(`assets/widget-${__PARTS__[n]}.js`, source)}#${loads}`
  try {
    return await import(/* @vite-ignore */ address) as T
  } catch (error) {
    loads += 1
    throw error
  }
}

async function words(language: Locale): Promise<Words> {
  return (await part<{ default: Words }>(language === 'en' ? 2 : 1)).default
}

/** The panel, fetched once. */
async function reach(): Promise<Panel | undefined> {
  const mine = context
  const language = locale()
  try {
    const [begin, spoken] = await (loading ??= Promise.all([part<{ default: Begin }>(0), words(language)]))
    if (mine && mine === context) return (panel ??= begin.default(h, put, svg)(mine, language, spoken))
  } catch (error) {
    loading = undefined
    emit('error', error)
  }
  return undefined
}

async function toggle(open: boolean, focus = true): Promise<void> {
  wanted = open
  const it = context && (open || opened) ? await reach() : undefined
  if (!it || !context || wanted !== open) return
  if (opened !== open) {
    opened = open
    context.launcher.ariaExpanded = `${open}`
    context.host.toggleAttribute('data-open', open)
    if (open) it.show(focus)
    else it.hide()
    emit(open ? 'open' : 'close')
  }
  if (draft !== undefined) it.compose(draft)
  draft = undefined
}

function shutdown(clear: boolean): void {
  clearTimeout(retry)
  watch.disconnect()
  panel?.destroy(clear)
  try {
    for (const store of clear ? [area(), area(true)] : []) {
      for (const name of Object.keys(store)) {
        if (name.startsWith(`kefu:${options?.site}:`)) store.removeItem(name)
      }
    }
  } catch { /* storage is off */ }
  context?.host.remove()
  context = panel = loading = options = draft = undefined
  opened = wanted = false
  wait = FIRST_WAIT_MS
}

function change(next: Partial<Options>): void {
  if (!options) return
  Object.assign(options, next, { attributes: { ...options.attributes, ...next.attributes } })
  panel?.update()
}

function hide(hidden: boolean): void {
  if (context) context.host.hidden = hidden
}

const commands: Record<string, (...args: never[]) => void> = {
  boot,
  shutdown: () => shutdown(true),
  open: () => toggle(true),
  close: () => toggle(false),
  toggle: () => toggle(!opened),
  show: () => hide(false),
  hide: () => hide(true),
  newMessage: (text = '') => {
    draft = `${text}`
    void toggle(true)
  },
  update: change,
  identify: (who: Identity) => {
    const { id, name, email, signature } = who
    change({ attributes: { ...who }, identity: signature ? { id, name, email, signature } : undefined })
    // The site may have waited for this.
    if (options && !context) void load(options)
  },
  track: (name: string) => change({ attributes: { track: `${name}` } }),
  on: (event: string, fn: Listener) => {
    listeners.push([event, fn])
    if (event === 'ready' && context) fn()
  },
  off: (event: string, fn: Listener) => {
    listeners = listeners.filter(([name, known]) => name !== event || known !== fn)
  },
}

const warned = new Set<string>()
const kefu: Kefu = (name, ...args) => {
  if (Object.hasOwn(commands, name)) return commands[name]!(...(args as never[]))
  if (!warned.has(name)) console.warn(`kefu: unknown command "${name}"`)
  warned.add(name)
}

// A second copy of the script leaves the first one alone.
if (!page.kefu || page.kefu.q) {
  const queued = page.kefu?.q ?? []
  page.kefu = kefu
  boot()
  for (const call of queued) kefu(...([...call] as Args))
}
