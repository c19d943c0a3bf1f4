// What this browser remembers: theme, sound, notices, the open panel, the last emoji.

import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

function kept<T>(name: string, first: T) {
  const key = `kefu.console.${name}`
  const text = localStorage.getItem(key)
  const value = ref<T>(text === null ? first : (JSON.parse(text) as T))
  watch(value, (now) => localStorage.setItem(key, JSON.stringify(now)))
  // What is chosen in one tab holds in all.
  addEventListener('storage', (event) => {
    if (event.key === key && event.newValue !== null) value.value = JSON.parse(event.newValue) as T
  })
  return value
}

export const usePrefs = defineStore('prefs', () => {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const dark = kept<boolean | null>('dark', null)
  const isDark = ref(false)
  const paint = (): void => {
    isDark.value = dark.value ?? system.matches
    document.documentElement.classList.toggle('dark', isDark.value)
  }
  system.addEventListener('change', paint)
  watch(dark, paint, { flush: 'sync' })
  paint()
  return {
    dark, isDark, sound: kept('sound', true), notices: kept('notices', false),
    panel: kept('panel', true), list: kept('list', true), steps: kept('steps', true),
    emoji: kept<string[]>('emoji', []),
  }
})
