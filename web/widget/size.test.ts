// The built widget: small enough for a guest, and a plain script that leaves nothing but `kefu` behind.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

const dist = new URL('../dist/', import.meta.url)
const loader = readFileSync(new URL('kefu.js', dist), 'utf8')
const name = readdirSync(new URL('assets/', dist)).find((file) => file.startsWith('widget-panel-'))
const panel = readFileSync(new URL(`assets/${name}`, dist), 'utf8')
const size = (text: string): number => gzipSync(text, { level: 9 }).length

it('keeps to its budget: what a visitor downloads', () => {
  const files = readdirSync(new URL('assets/', dist))
  const of = (part: string): number => size(readFileSync(
    new URL(`assets/${files.find((file) => file.startsWith(`widget-${part}`))}`, dist), 'utf8'))
  const total = size(loader) + size(panel) + Math.max(of('en'), of('zh-CN'))
  expect(size(loader)).toBeLessThanOrEqual(6 * 1024)
  expect(total).toBeLessThanOrEqual(23 * 1024)
  // Only where WebSockets do not pass.
  expect(of('longpoll')).toBeLessThanOrEqual(2 * 1024)
})

it('is a classic script that knows its panel', () => {
  expect(loader).not.toMatch(/\bexport\b|^import\b|import\.meta/m)
  expect(loader).toContain(name)
})

it('never parses markup', () => {
  for (const text of [loader, panel]) {
    expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|DOMParser|\beval\(|new Function/)
    expect(text).not.toMatch(/\/work\/|\[Vue warn\]/)
  }
})
