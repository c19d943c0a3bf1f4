// Files a person attaches: what the server would refuse anyway, said before the upload, and the upload itself. Knows
// nothing of conversations.

import type { FileInfo, Limits } from '../../protocol'
import { ApiError } from './api'

export type Refused = 'tooLarge' | 'badType' | 'empty'

/** What the name or the browser says; spreadsheet programs claim CSV as theirs, the server goes by the bytes. */
function typeOf(file: { name: string; type: string }): string {
  return /\.csv$/i.test(file.name) ? 'text/csv' : file.type
}

/** Why a file needs no upload: the server would not take it. Without a known type, the server decides. */
export function refused(
  file: { name: string; type: string; size: number }, limits: Partial<Limits>,
): Refused | undefined {
  const type = typeOf(file)
  if (file.size === 0) return 'empty'
  if (limits.file_types && type && !limits.file_types.includes(type)) return 'badType'
  return file.size > (limits.file_bytes ?? Infinity) ? 'tooLarge' : undefined
}

const SHORT: Record<string, string> = {
  'text/plain': 'TXT',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'DOCX',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'XLSX',
}

/** `PNG`, `DOCX`: how people call a type. */
export function typeName(type: string): string {
  return SHORT[type] ?? (type.split('/')[1] ?? type).toUpperCase()
}

export function isImage(file: FileInfo): boolean {
  return file.type.startsWith('image/') && Boolean(file.width && file.height)
}

/** `240 B`, `12 KB`, `1.5 MB`, `2 GB`: units of 1024, as file managers show them. */
export function bytes(n: number): string {
  if (n < 1024) return `${n} B`
  const power = [3, 2].find((one) => n >= 1024 ** one) ?? 1
  const [value, unit] = [n / 1024 ** power, ['B', 'KB', 'MB', 'GB'][power]]
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`
}

/** Sends the bytes; `progress` hears 0 to 1. Not `fetch`: that does not tell how far an upload is. */
export function upload(
  conversation: string, file: File, progress: (part: number) => void, signal: AbortSignal,
): Promise<FileInfo> {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest()
    request.open('POST', `/v1/conversations/${conversation}/files?${new URLSearchParams({ name: file.name })}`)
    request.responseType = 'json'
    // The bytes say what a file is, except for kinds of text; a wrong name is no reason to refuse a picture.
    const type = typeOf(file)
    request.setRequestHeader('content-type', type.startsWith('text/') ? type : 'application/octet-stream')
    request.upload.onprogress = (event) => { if (event.lengthComputable) progress(event.loaded / event.total) }
    request.onerror = () => fail(new ApiError(0, 'network', ''))
    request.onload = () => {
      const answer = request.response as { file?: FileInfo; error?: { code: string; message: string } } | null
      if (request.status === 201 && answer?.file) return done(answer.file)
      const { code, message } = answer?.error ?? { code: `http_${request.status}`, message: request.statusText }
      fail(new ApiError(request.status, code, message))
    }
    signal.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}
