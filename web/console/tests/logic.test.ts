// Formatters, list order, unread, reply clocks, contrast.
import { describe, expect, test } from 'vitest'

import type { Row, Summary } from '../../protocol'
import { isOrigin, originOf, textOn } from '../lib/colour'
import { frozen, inTab, lastSaid, order, pressure, unansweredSince, unread } from '../lib/desk'
import { clock, duration, initials, micros, moment, tint } from '../lib/format'
import { bytes, refused, typeName } from '../lib/files'

const row = (seq: number, kind: 'visitor' | 'agent', type: 'message' | 'note' = 'message'): Row => ({
  id: `#${seq}`, seq, at: seq * 1000, from: { kind, id: '1' }, body: { type, text: `t${seq}` }, state: 'sent',
})
const summary = (id: string, more: Partial<Summary> = {}): Summary => ({
  id, site: '1', team: '1', visitor: '1', state: 'waiting', opened_at: 1, waiting_since: 1, version: 1, ...more,
})

describe('unread', () => {
  const rows = [row(1, 'visitor'), row(2, 'agent'), row(3, 'visitor'), row(4, 'agent', 'note'), row(5, 'visitor')]
  test.each([[0, 3], [1, 2], [3, 1], [5, 0], [99, 0]])('after mark %i: %i', (mark, n) => {
    expect(unread(rows, mark)).toBe(n)
  })
  test('unsent rows never count', () => {
    const { seq: _, ...sending } = row(9, 'visitor')
    expect(unread([...rows, sending], 5)).toBe(0)
  })
})

describe('reply clock', () => {
  test('starts at the first unanswered message', () => {
    expect(unansweredSince([row(1, 'agent'), row(2, 'visitor'), row(3, 'visitor')])).toBe(2000)
  })
  test('a note is no answer, a reply is', () => {
    expect(unansweredSince([row(1, 'visitor'), row(2, 'agent', 'note')])).toBe(1000)
    expect(unansweredSince([row(1, 'visitor'), row(2, 'agent')])).toBeUndefined()
  })
  test.each([[0, 'calm'], [59_999, 'calm'], [60_000, 'near'], [120_000, 'over']])('%i ms is %s', (ms, is) => {
    expect(pressure(ms, 120_000)).toBe(is)
  })
  test('the preview is the last thing said', () => {
    expect(lastSaid([row(1, 'visitor'), row(2, 'agent', 'note')])?.seq).toBe(2)
    expect(lastSaid([])).toBeUndefined()
  })
})

describe('list', () => {
  test('mine: longest unanswered first, then the latest', () => {
    const list = [
      { summary: summary('9'), since: undefined }, { summary: summary('10'), since: undefined },
      { summary: summary('3'), since: 50 }, { summary: summary('4'), since: 20 },
    ]
    expect(list.sort(order('mine')).map((one) => one.summary.id)).toEqual(['4', '3', '10', '9'])
  })
  test('waiting: priority, then queue order', () => {
    const list = [
      { summary: summary('1', { waiting_since: 30 }), since: undefined },
      { summary: summary('2', { waiting_since: 10 }), since: undefined },
      { summary: summary('3', { waiting_since: 40, priority: 5 }), since: undefined },
    ]
    expect(list.sort(order('waiting')).map((one) => one.summary.id)).toEqual(['3', '2', '1'])
  })
  test('tabs', () => {
    expect(inTab('mine', summary('1', { state: 'active', agent: '7' }), '7')).toBe(true)
    expect(inTab('mine', summary('1', { state: 'closed', agent: '7' }), '7')).toBe(false)
    expect(inTab('waiting', summary('1'), '7')).toBe(true)
  })
  test('frozen keeps the order, drops what left, appends what came', () => {
    expect(frozen(['a', 'b', 'c'], ['d', 'c', 'a'])).toEqual(['a', 'c', 'd'])
  })
})

describe('formats', () => {
  const now = new Date(2026, 10, 23, 12, 0).getTime()
  test.each([
    [new Date(2026, 10, 23, 9, 5).getTime(), '09:05', '09:05'],
    [new Date(2026, 10, 22, 23, 59).getTime(), 'Yesterday 23:59', '昨天 23:59'],
    [new Date(2026, 10, 3, 14, 3).getTime(), '3 Nov, 14:03', '11月3日 14:03'],
    [new Date(2025, 10, 3, 14, 3).getTime(), '3 Nov 2025, 14:03', '2025年11月3日 14:03'],
  ])('moment %i', (at, en, zh) => {
    expect(moment(at, now, 'en')).toBe(en)
    expect(moment(at, now, 'zh-CN')).toBe(zh)
  })
  test.each([[-5, '0:00'], [59_999, '0:59'], [190_000, '3:10'], [3_671_000, '1:01:11']])('clock %i', (ms, text) => {
    expect(clock(ms)).toBe(text)
  })
  test.each([[45_000, '45 s', '45 秒'], [200_000, '3 min 20 s', '3 分 20 秒'], [7_500_000, '2 h 5 min', '2 小时 5 分'], [0, '0 s', '0 秒']])('duration %i', (ms, en, zh) => {
    expect(duration(ms, 'en')).toBe(en)
    expect(duration(ms, 'zh-CN')).toBe(zh)
  })
  test('others', () => {
    expect(micros(38)).toBe('38 µs')
    expect(micros(1240)).toBe('1.2 ms')
    expect([initials('王小明'), initials('Alice Chen'), initials(' '), initials('😀x')]).toEqual(['王', 'AC', '?', '😀'])
    expect(tint('42')).toBe(tint('42'))
  })
})

describe('colour and origins', () => {
  test('text on a colour is the better of black and white', () => {
    expect(textOn('#2158d0').colour).toBe('#ffffff')
    expect(textOn('#ffd400').colour).toBe('#000000')
    expect(textOn('#767676').ratio).toBeGreaterThanOrEqual(4.5)
  })
  test.each([['https://a.example', true], ['http://localhost:8080', true], ['https://a.example/', false], ['a.example', false], ['ftp://a', false]])('%s', (text, is) => {
    expect(isOrigin(text)).toBe(is)
  })
  test.each([
    ['https://a.example/shop?x=1', 'https://a.example'], ['a.example:8443/x', 'https://a.example:8443'],
    ['http://localhost', 'http://localhost'], ['ftp://a', undefined], ['', undefined],
  ])('the origin of %s', (address, origin) => {
    expect(originOf(address)).toBe(origin)
  })
})

test('a file is refused before its upload only for what the server would refuse', () => {
  const limits = { file_bytes: 100, file_types: ['image/png', 'text/csv'] }
  const file = (name: string, type: string, size = 10) => refused({ name, type, size }, limits)
  expect(file('a.png', 'image/png')).toBeUndefined()
  expect(file('a.png', 'image/png', 100)).toBeUndefined()
  expect(file('a.png', 'image/png', 101)).toBe('tooLarge')
  expect(file('a.mp4', 'video/mp4')).toBe('badType')
  expect(file('a.png', 'image/png', 0)).toBe('empty')
  // Windows calls CSV a spreadsheet; of a type nobody knows the server judges by the bytes.
  expect(file('a.csv', 'application/vnd.ms-excel')).toBeUndefined()
  expect(file('a.bin', '')).toBeUndefined()
  expect(refused({ name: 'a.mp4', type: 'video/mp4', size: 9e9 }, {})).toBeUndefined()
})

test('sizes and types as people call them', () => {
  expect([0, 1023, 1024, 1536, 204_800, 10_485_760, 2 ** 30].map(bytes))
    .toEqual(['0 B', '1023 B', '1 KB', '1.5 KB', '200 KB', '10 MB', '1 GB'])
  expect(['image/png', 'text/plain', 'application/pdf'].map(typeName)).toEqual(['PNG', 'TXT', 'PDF'])
})
