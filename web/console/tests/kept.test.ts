// Unsent messages of tabs side by side: none is overwritten, and what a closed tab left is sent by one that lives.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import type { Client as Made, Entry } from '../../protocol'

let store: Map<string, string>
let locks: Map<string, { free: () => void; next: (() => void)[] }>
const heard = new Set<(event: { key: string }) => void>()
const settle = (): Promise<void> => new Promise((done) => setTimeout(done))

/** Locks as the browser has them: who holds one lets go when its promise ends, the next in line gets it. */
function request(name: string, ...args: unknown[]): Promise<unknown> {
  const act = args.at(-1) as () => unknown
  return new Promise((done) => {
    const run = (): void => {
      const held = { free: () => undefined as void, next: locks.get(name)?.next ?? [] }
      const gone = new Promise<void>((free) => { held.free = () => free() })
      locks.set(name, held)
      void Promise.race([Promise.resolve().then(act), gone]).then(() => {
        locks.delete(name)
        held.next.shift()?.()
        done(undefined)
      })
    }
    if (locks.has(name)) locks.get(name)!.next.push(run)
    else run()
  })
}

beforeEach(() => {
  store = new Map()
  locks = new Map()
  heard.clear()
  vi.stubGlobal('navigator', { locks: { request } })
  vi.stubGlobal('addEventListener', (_: string, act: (event: { key: string }) => void) => heard.add(act))
  vi.stubGlobal('localStorage', new Proxy({
    getItem: (name: string) => store.get(name) ?? null,
    setItem: (name: string, value: string) => {
      store.set(name, value)
      for (const act of heard) act({ key: name })
    },
    removeItem: (name: string) => void store.delete(name),
  }, { ownKeys: () => [...store.keys()], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) }))
})
afterEach(() => { vi.unstubAllGlobals() })

async function tab(): Promise<{ client: Made; texts(): string[]; close(): void }> {
  vi.resetModules()
  const { Client } = await import('../../protocol')
  const { inherit, kept } = await import('../lib/kept')
  const before = new Set(locks.keys())
  const client = new Client({ base: 'http://x', client: 'test', storeName: 'kefu.console.7', store: kept })
  inherit(client, client.outbox.name)
  const own = [...locks.keys()].find((name) => !before.has(name) && !store.has(name))!
  await settle()
  return {
    client,
    texts: () => client.outbox.entries.map(({ draft }: Entry) => ('text' in draft ? draft.text ?? '' : '')),
    close: () => locks.get(own)!.free(),
  }
}

test('two tabs keep both lists; after a reload of one, its own is there and the other is left alone', async () => {
  const one = await tab()
  const two = await tab()
  one.client.send('5', 'of the first')
  two.client.send('5', 'of the second')
  expect([...store.values()].join()).toContain('of the first')
  expect([...store.values()].join()).toContain('of the second')
  one.close()
  const again = await tab()
  await settle()
  // Whoever of the two was quicker has it, and only once.
  const all = [...two.texts(), ...again.texts()].sort()
  expect(all).toEqual(['of the first', 'of the second'])
  expect(two.texts()).toContain('of the second')
})

test('a list is taken over in the order in which it was written, with its keys, once', async () => {
  const one = await tab()
  const keys = ['a', 'b', 'c'].map((text) => one.client.send('5', text))
  one.close()
  const next = await tab()
  expect(next.client.outbox.entries.map(({ draft }) => draft.key)).toEqual(keys)
  expect(next.client.thread('5').rows.map((row) => row.key)).toEqual(keys)
  expect([...store.keys()]).toHaveLength(1)
})

test('a tab that came later and went is inherited too', async () => {
  const first = await tab()
  const later = await tab()
  later.client.send('5', 'left behind')
  expect(first.texts()).toEqual([])
  later.close()
  await settle()
  expect(first.texts()).toEqual(['left behind'])
})

test('another account finds nothing', async () => {
  store.set('kefu.console.8:outbox:x', '[{"draft":{"type":"send","key":"k","conversation":"5","text":"t"},"at":1}]')
  expect((await tab()).texts()).toEqual([])
  expect(store.size).toBe(1)
})
