// Refusals as sentences.

import { ApiError } from './api'

type Translate = (key: string, values: Record<string, unknown>) => string

const KNOWN = new Set([
  'network', 'unauthorized', 'forbidden', 'not_found', 'conflict', 'invalid', 'blocked',
  'rate_limited', 'unavailable', 'too_large', 'bad_frame',
])

export function refusal(t: Translate, code: string, detail: string): string {
  return KNOWN.has(code) ? t(`error.${code}`, { detail }) : t('error.other', { detail: detail || code })
}

export function words(t: Translate, error: unknown): string {
  if (error instanceof ApiError) return refusal(t, error.code, error.message)
  return t('error.other', { detail: String(error) })
}
