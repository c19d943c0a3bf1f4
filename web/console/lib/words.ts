// Refusals as sentences, and what was said as one line.

import type { EventBody } from '../../protocol'
import { ApiError } from './api'
import { isImage } from './files'

type Translate = (key: string, values: Record<string, unknown>) => string

const KNOWN = new Set([
  'network', 'unauthorized', 'forbidden', 'not_found', 'conflict', 'invalid', 'blocked',
  'rate_limited', 'unavailable', 'too_large', 'bad_frame', 'unsupported',
])

export function refusal(t: Translate, code: string, detail: string): string {
  return KNOWN.has(code) ? t(`error.${code}`, { detail }) : t('error.other', { detail: detail || code })
}

export function words(t: Translate, error: unknown): string {
  if (error instanceof ApiError) return refusal(t, error.code, error.message)
  return t('error.other', { detail: String(error) })
}

/** What was said in one line: the text, else what kind of file it is. */
export function spoken(t: Translate, body: EventBody): string {
  if ((body.type !== 'message' && body.type !== 'note') || body.text) return 'text' in body ? body.text : ''
  const file = body.type === 'message' ? body.file : undefined
  return file ? t(isImage(file) ? 'list.image' : 'list.file', { name: file.name }) : ''
}
