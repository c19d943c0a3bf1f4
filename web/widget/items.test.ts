// What is drawn for a thread, and the words around it.
import { expect, it } from 'vitest'
import { Thread } from '../protocol/index'
import type { KefuEvent } from '../protocol/index'
import { textOn } from './color'
import { items } from './items'
import { ALERT, CLOCK } from './icons'
import en from '../i18n/widget.en.json'
import { pickLocale } from './locale'
import { initials, speak } from './text'

speak('en', en)
const draw = (thread: Thread, now = 10_000) =>
  items(thread, now)
const event = (seq: number, rest: object): KefuEvent =>
  ({ conversation: '1', seq, at: seq * 1000, from: { kind: 'agent', id: '2' }, ...rest }) as KefuEvent

it('names the agent once per group and says who joined', () => {
  const thread = new Thread('1')
  thread.apply(event(1, { type: 'assigned', agent: '2', name: 'Lin' }))
  thread.apply(event(2, { type: 'message', text: 'a' }))
  thread.apply(event(3, { type: 'message', text: 'b' }))
  thread.apply(event(4, { type: 'assigned', agent: '3', name: 'Chen' }))
  const list = draw(thread)
  expect(list.filter((i) => i.kind === 'message').map((i) => i.kind === 'message' && [i.name, i.first]))
    .toEqual([['Lin', true], ['Lin', false]])
  expect(list.filter((i) => i.kind === 'line').map((i) => i.kind === 'line' && i.text))
    .toEqual(['Lin joined', 'You are now talking to Chen'])
})

it('shows the state under the last own message and under each failed one', () => {
  const thread = new Thread('1')
  const me = { kind: 'visitor', id: '7' } as const
  thread.draft('a', me, { type: 'message', text: 'a' }, 1)
  thread.draft('b', me, { type: 'message', text: 'b' }, 2)
  thread.draft('c', me, { type: 'message', text: 'c' }, 3)
  thread.ack('a', 1, 1)
  const failed = thread.rows.find((row) => row.key === 'b')!
  failed.state = 'failed'
  failed.error = 'blocked'
  const feet = draw(thread).flatMap((i) => (i.kind === 'message' ? [[i.id, i.foot?.icon]] : []))
  expect(feet).toEqual([['a', undefined], ['b', ALERT], ['c', CLOCK]])
  thread.ack('c', 2, 2)
  thread.read = 2
  expect(draw(thread).find((i) => i.id === 'c')).toMatchObject({ foot: { text: expect.stringMatching(/^Read \d\d:\d\d$/) } })
})

/** As WCAG defines it. */
function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

it('writes on any brand colour with at least 4.5:1', () => {
  for (let c = 0; c < 0x1000000; c += 997) {
    const hex = `#${c.toString(16).padStart(6, '0')}`
    const on = textOn(hex) === '#fff' ? 1 : 0
    const [high, low] = [Math.max(on, luminance(hex)), Math.min(on, luminance(hex))]
    expect((high + 0.05) / (low + 0.05), hex).toBeGreaterThan(4.5)
  }
})

it('picks languages and initials', () => {
  expect(pickLocale(undefined, 'fr', 'zh-TW')).toBe('zh-CN')
  expect(pickLocale(undefined, 'en-US', 'zh')).toBe('en')
  expect(pickLocale('fr')).toBe('zh-CN')
  expect(initials('林 小雨')).toBe('林')
  expect(initials('Ada Lovelace')).toBe('AL')
})
