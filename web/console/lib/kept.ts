// What was written and the server does not have yet survives its page. Each tab keeps a list of its own, so that two never
// overwrite each other's; a list whose tab is gone (a reload, a tab closed while offline) goes over to one that lives.

import type { Client, Entry, Store } from '../../protocol'

/** This page; a reload is another one. */
const tab = Math.random().toString(36).slice(2)

export const kept: Store = {
  get: (name) => JSON.parse(localStorage.getItem(`${name}:${tab}`) ?? '[]') as Entry[],
  set: (name, entries) => {
    if (entries) localStorage.setItem(`${name}:${tab}`, JSON.stringify(entries))
    else localStorage.removeItem(`${name}:${tab}`)
  },
}

/** Takes over lists called `name` whose tabs are gone, now and later; answers how to end that. */
export function inherit(client: Client, name: string): () => void {
  const ended = new AbortController()
  const { signal } = ended
  // Whoever holds the lock called as the list lives: the browser lets go of it with the page.
  const { locks } = navigator
  const awaited = new Set([`${name}:${tab}`])
  void locks?.request(`${name}:${tab}`, () => new Promise((done) => { signal.onabort = done }))
  const take = (list: string): void => {
    awaited.delete(list)
    const left = localStorage.getItem(list)
    localStorage.removeItem(list)
    if (left) client.adopt(JSON.parse(left) as Entry[])
  }
  const look = (list: string | null): void => {
    if (!list?.startsWith(name) || awaited.has(list)) return
    awaited.add(list)
    // Without locks (a page without TLS) nobody knows who lives: sent twice under one key is sent once.
    if (locks) locks.request(list, { signal }, () => take(list)).catch(() => undefined)
    else take(list)
  }
  Object.keys(localStorage).forEach(look)
  if (locks) addEventListener('storage', ({ key }) => look(key), { signal })
  return () => ended.abort()
}
