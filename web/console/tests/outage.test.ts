// The words of the operator's banner: every part that the server may name has all of its sentences in both languages.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import en from '../../i18n/console.en.json'
import zh from '../../i18n/console.zh-CN.json'

interface Schema { components: { schemas: { Part: { oneOf: { const: string }[] } } } }

test('every part that may be out is told: what, what goes on, what does not, that it is back', () => {
  const document = join(import.meta.dirname, '../../../docs/openapi.json')
  const { Part } = (JSON.parse(readFileSync(document, 'utf8')) as Schema).components.schemas
  const parts = Part.oneOf.map((one) => one.const)
  expect(parts).toContain('storage')
  for (const words of [en.outage, zh.outage] as unknown as Record<string, Record<string, string>>[]) {
    for (const part of parts) {
      expect(Object.keys(words[part] ?? {}).sort(), part).toEqual(['back', 'not', 'what', 'works'])
    }
  }
})
