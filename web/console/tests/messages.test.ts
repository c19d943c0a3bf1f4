// Every message of both languages compiles, has the same key and the same placeholders; every key the pages name exists.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { createI18n } from 'vue-i18n'
import { expect, test } from 'vitest'

import en from '../../i18n/console.en.json'
import zh from '../../i18n/console.zh-CN.json'

type Tree = { [key: string]: string | Tree }

function flat(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value, `${path}${key}.`))
}
const holes = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

test('same keys, same placeholders', () => {
  const [a, b] = [new Map(flat(zh)), new Map(flat(en))]
  expect([...a.keys()].sort()).toEqual([...b.keys()].sort())
  for (const [key, text] of a) expect([key, holes(text)]).toEqual([key, holes(b.get(key) ?? '')])
})

test('every key that a page names is there', () => {
  const root = join(import.meta.dirname, '..')
  const files = readdirSync(root, { recursive: true }).map(String).filter((name) => /\.(vue|ts)$/.test(name) && !name.startsWith('tests'))
  const keys = new Set(flat(zh).map(([key]) => key))
  const named = files.flatMap((name) => [...readFileSync(join(root, name), 'utf8').matchAll(/\bt\((?:[^'`)]+\? )?'([\w.]+)'/g)].map((one) => one[1] ?? ''))
  expect(named.length).toBeGreaterThan(150)
  expect(named.filter((key) => !keys.has(key))).toEqual([])
})

test.each([['zh-CN', zh], ['en', en]] as const)('every message of %s compiles', (locale, messages) => {
  const warned: unknown[] = []
  const i18n = createI18n({ legacy: false, locale, messages: { [locale]: messages } })
  const translate = i18n.global.t as unknown as (key: string, values: object) => string
  for (const [key, text] of flat(messages)) {
    const values = Object.fromEntries(holes(text).map((hole) => [hole.slice(1, -1), '7']))
    const said = translate(key, values)
    if (said === key || /[{}|@]/.test(said)) warned.push([key, said])
  }
  expect(warned).toEqual([])
})

test('Chinese has no exclamation marks and no half-width sentence marks', () => {
  expect(flat(zh).filter(([, text]) => /[!！]|[\u4e00-\u9fff][,;?]/.test(text))).toEqual([])
})
