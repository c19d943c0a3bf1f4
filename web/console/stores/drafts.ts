// Unsent text, per conversation and mode. Kept on every change, so a reload loses nothing.

import { defineStore } from 'pinia'
import { reactive } from 'vue'

export type Mode = 'reply' | 'note'
interface Draft { reply: string; note: string; mode: Mode }

const KEY = 'kefu.console.drafts'
const MOST = 200

function load(): Record<string, Draft> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Record<string, Draft>
  } catch {
    return {}
  }
}

export const useDrafts = defineStore('drafts', () => {
  const all = reactive(load())
  let later: ReturnType<typeof setTimeout> | undefined

  function save(): void {
    clearTimeout(later)
    later = undefined
    const kept = Object.entries(all).filter(([, d]) => d.reply || d.note).slice(-MOST)
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(kept)))
  }
  function touched(): void {
    later ??= setTimeout(save, 250)
  }
  addEventListener('pagehide', save)
  addEventListener('storage', (event) => {
    if (event.key === KEY && !document.hasFocus()) Object.assign(all, load())
  })

  const of = (id: string): Draft => all[id] ?? { reply: '', note: '', mode: 'reply' }
  function change(id: string, part: Partial<Draft>): void {
    all[id] = { ...of(id), ...part }
    touched()
  }
  const text = (id: string): string => of(id).reply.trim() || of(id).note.trim()

  return { of, change, text }
})
