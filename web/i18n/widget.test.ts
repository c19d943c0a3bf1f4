// Both languages have the same keys and the same placeholders.
import { expect, it } from 'vitest'
import en from './widget.en.json'
import zh from './widget.zh-CN.json'

const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!).sort()

it('says the same things in both languages', () => {
  expect(Object.keys(zh)).toEqual(Object.keys(en))
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    expect(holes(zh[key]), key).toEqual(holes(en[key]))
    expect(zh[key], key).not.toMatch(/!|！/)
  }
})
