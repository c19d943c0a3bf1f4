// Files on their way into conversations: uploaded as soon as they are attached, kept here until the reply they go with is
// sent, whichever conversation is shown meanwhile. A reload forgets them; the server removes what nobody sent.

import { defineStore } from 'pinia'
import { reactive } from 'vue'

import type { FileInfo, Limits } from '../../protocol'
import { refused, upload } from '../lib/files'
import type { Refused } from '../lib/files'

export interface Upload {
  at: number
  name: string
  size: number
  /** 0 to 1. */
  progress: number
  /** Set when the server has it. */
  info?: FileInfo
  /** Refused before the upload. */
  refused?: Refused
  /** What the upload failed with. */
  error?: unknown
}

/** Files of one reply. */
export const MOST_FILES = 10

export const useUploads = defineStore('uploads', () => {
  const all = reactive(new Map<string, Upload[]>())
  const running = new Map<number, { file: File; stop: AbortController }>()
  let count = 0

  const of = (id: string): readonly Upload[] => all.get(id) ?? []

  /** Answers how many were too many. */
  function add(id: string, files: readonly File[], limits: Partial<Limits>): number {
    const free = MOST_FILES - of(id).length
    for (const file of files.slice(0, free)) {
      count += 1
      const why = refused(file, limits)
      const one: Upload = { at: count, name: file.name, size: file.size, progress: 0, ...(why ? { refused: why } : {}) }
      all.set(id, [...of(id), one])
      if (!why) void send(id, one.at, file)
    }
    return Math.max(0, files.length - free)
  }

  async function send(id: string, at: number, file: File): Promise<void> {
    const stop = new AbortController()
    running.set(at, { file, stop })
    const change = (part: Partial<Upload>): void => {
      all.set(id, of(id).map((one) => (one.at === at ? { ...one, ...part } : one)))
    }
    try {
      const info = await upload(id, file, (progress) => change({ progress }), stop.signal)
      change({ info, progress: 1 })
      running.delete(at)
    } catch (error) {
      change({ error })
    }
  }

  function retry(id: string, at: number): void {
    const file = running.get(at)?.file
    all.set(id, of(id).map((one) => (one.at === at ? { at, name: one.name, size: one.size, progress: 0 } : one)))
    if (file) void send(id, at, file)
  }

  function remove(id: string, at: number): void {
    running.get(at)?.stop.abort()
    running.delete(at)
    all.set(id, of(id).filter((one) => one.at !== at))
  }

  /** Signed out: nothing of one person is left for the next. */
  function clear(): void {
    for (const { stop } of running.values()) stop.abort()
    running.clear()
    all.clear()
  }

  /** Hands out what the server has: it goes with a message now. */
  function take(id: string): FileInfo[] {
    const ready = of(id).flatMap((one) => one.info ?? [])
    all.set(id, of(id).filter((one) => !one.info))
    return ready
  }

  const busy = (id: string): boolean => of(id).some((one) => !one.info && !one.refused && one.error === undefined)
  const ready = (id: string): boolean => of(id).some((one) => one.info)

  return { of, add, retry, remove, take, clear, busy, ready }
})
