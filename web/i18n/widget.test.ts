// Both languages have the same keys and the same holes: `{}`, at most one in a sentence.
import { expect, it } from 'vitest'
import en from './widget.en.json'
import zh from './widget.zh-CN.json'

const holes = (text: string): number => text.split('{}').length - 1

it('says the same things in both languages', () => {
  expect(Object.keys(zh)).toEqual(Object.keys(en))
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    expect(holes(zh[key]), key).toBe(holes(en[key]))
    expect(holes(en[key]), key).toBeLessThanOrEqual(1)
    expect(zh[key] + en[key], key).not.toMatch(/\{\w|[`\\\n]/)
    expect(zh[key], key).not.toMatch(/!|！/)
  }
})
