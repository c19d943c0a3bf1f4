// Languages of the console: the chosen one, else the browser's, else Chinese. Messages are one JSON each, loaded when used.

import { createI18n } from 'vue-i18n'

import type { Language } from './lib/format'

const KEPT = 'kefu.console.language'

export const i18n = createI18n({
  legacy: false,
  locale: 'zh-CN',
  fallbackLocale: 'zh-CN',
  messages: {},
})

function wanted(): Language {
  const kept = localStorage.getItem(KEPT)
  if (kept === 'zh-CN' || kept === 'en') return kept
  for (const tag of navigator.languages) {
    if (tag.startsWith('zh')) return 'zh-CN'
    if (tag.startsWith('en')) return 'en'
  }
  return 'zh-CN'
}

async function messages(language: Language): Promise<Record<string, unknown>> {
  const file = language === 'en'
    ? await import('../i18n/console.en.json')
    : await import('../i18n/console.zh-CN.json')
  return file.default
}

export async function speak(language: Language = wanted()): Promise<void> {
  i18n.global.setLocaleMessage(language, await messages(language))
  i18n.global.locale.value = language
  document.documentElement.lang = language
}

export async function choose(language: Language): Promise<void> {
  localStorage.setItem(KEPT, language)
  await speak(language)
}

export function language(): Language {
  return i18n.global.locale.value as Language
}
