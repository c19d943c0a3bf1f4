// The built widget: small enough for a guest, and a plain script that leaves nothing but `kefu` behind.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

const dist = new URL('../dist/', import.meta.url)
const loader = readFileSync(new URL('kefu.js', dist), 'utf8')
const names = readdirSync(new URL('assets/', dist)).filter((file) => /^widget-.*\.js$/.test(file))
const texts = names.map((name) => readFileSync(new URL(`assets/${name}`, dist), 'utf8'))
const size = (text: string): number => gzipSync(text, { level: 9 }).length
const part = (name: string): string => texts[names.findIndex((file) => file.startsWith(`widget-${name}-`))]!

/**
 * What a visitor fetches who opens the panel, answers the site's questions, talks on either carrier, rates, leaves a
 * message, looks at images that agents sent: kefu.js, the panel and one language, as `gzip -9` packs each.
 */
const MOST_OF_ONE = 20_480
/** And with the other language and sending files, which few need. */
const MOST_OF_ALL = 22_500

const sum = (sizes: number[]): number => sizes.reduce((all, one) => all + one, 0)

it('keeps to its budget: every file together', () => {
  expect(names.map((name) => name.replace(/-[0-9a-f]{8}\.js$/, ''))).toEqual(
    ['widget-en', 'widget-files', 'widget-panel', 'widget-zh-CN'])
  expect(sum([loader, ...texts].map(size))).toBeLessThanOrEqual(MOST_OF_ALL)
})

it('keeps to its budget: what one visitor fetches, in either language, with both carriers', () => {
  expect(size(loader)).toBeLessThanOrEqual(4 * 1024)
  for (const carrier of ['/v1/ws', '/v1/events']) expect(part('panel')).toContain(carrier)
  for (const language of ['zh-CN', 'en']) {
    expect(sum([loader, part('panel'), part(language)].map(size)), language).toBeLessThanOrEqual(MOST_OF_ONE)
  }
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
