// The built widget: small enough for a guest, and a plain script that leaves nothing but `kefu` behind.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

const dist = new URL('../dist/', import.meta.url)
const loader = readFileSync(new URL('kefu.js', dist), 'utf8')
const names = readdirSync(new URL('assets/', dist)).filter((file) => /^widget-.*\.js$/.test(file))
const texts = names.map((name) => readFileSync(new URL(`assets/${name}`, dist), 'utf8'))
const size = (text: string): number => gzipSync(text, { level: 9 }).length
const of = (part: string): number => size(texts[names.findIndex((name) => name.startsWith(`widget-${part}-`))]!)

/**
 * What a visitor fetches who opens the panel, answers the site's questions, talks, rates, leaves a message, looks at
 * images that agents sent: kefu.js, the panel, its style and one language. Over TLS browsers ask for brotli: then on
 * either carrier; else, as `gzip -9` packs each, over a WebSocket.
 */
const MOST_OF_ONE = 20_480
/** As `gzip -9` packs it: with the carrier for where sockets do not live. */
const MOST_POLLED = 21_350
/** And with the other language and sending files, which few need. */
const MOST_OF_ALL = 23_300

const sent = (file: string): number => readFileSync(new URL(`${file}.br`, dist)).length
const sentPart = (part: string): number => sent(`assets/${names.find((name) => name.startsWith(`widget-${part}-`))}`)

it('keeps to its budget: every file together', () => {
  expect(names.map((name) => name.replace(/-[0-9a-f]{8}\.js$/, ''))).toEqual(
    ['widget-en', 'widget-files', 'widget-longpoll', 'widget-panel', 'widget-style', 'widget-zh-CN'])
  expect(size(loader) + texts.reduce((sum, text) => sum + size(text), 0)).toBeLessThanOrEqual(MOST_OF_ALL)
})

it('keeps to its budget: what one visitor fetches, in either language, on either carrier', () => {
  expect(size(loader)).toBeLessThanOrEqual(4 * 1024)
  const one = size(loader) + of('panel') + of('style') + Math.max(of('zh-CN'), of('en'))
  expect(one).toBeLessThanOrEqual(MOST_OF_ONE)
  expect(one + of('longpoll')).toBeLessThanOrEqual(MOST_POLLED)
  const parts = ['panel', 'style', 'longpoll'].reduce((sum, part) => sum + sentPart(part), 0)
  expect(sent('kefu.js') + parts + Math.max(sentPart('zh-CN'), sentPart('en'))).toBeLessThanOrEqual(MOST_OF_ONE)
})

it('is a classic script that knows its parts', () => {
  expect(loader).not.toMatch(/\bexport\b|^import\b|import\.meta/m)
  for (const name of names) expect(loader).toContain(name.slice('widget-'.length, -'.js'.length))
})

it('never parses markup', () => {
  for (const text of [loader, ...texts]) {
    expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|DOMParser|\beval\(|new Function/)
    expect(text).not.toMatch(/\/work\/|\[Vue warn\]/)
  }
})
