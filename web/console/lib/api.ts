// The HTTP API. The session cookie goes along by itself; every failure is an ApiError with the server's code.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message)
  }
}

const TIMEOUT_MS = 15_000
let onUnauthorized: () => void = () => undefined

/** Called when a signed-in request is refused with 401. */
export function whenUnauthorized(then: () => void): void {
  onUnauthorized = then
}

async function failure(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => undefined)
  const error = (body as { error?: Record<string, unknown> } | undefined)?.error
  const retry = error?.['retry_after_ms']
  return new ApiError(
    response.status,
    typeof error?.['code'] === 'string' ? error['code'] : `http_${response.status}`,
    typeof error?.['message'] === 'string' ? error['message'] : response.statusText,
    typeof retry === 'number' ? retry : undefined,
  )
}

async function call<T>(path: string, init: RequestInit, quiet = false): Promise<T> {
  let response: Response
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    response = await fetch(path, { credentials: 'same-origin', signal, ...init })
  } catch {
    throw new ApiError(0, 'network', '')
  }
  if (!response.ok) {
    const error = await failure(response)
    if (response.status === 401 && !quiet) onUnauthorized()
    throw error
  }
  const text = await response.text()
  return (text === '' ? undefined : JSON.parse(text)) as T
}

const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body ?? {}),
})

export const api = {
  get: <T>(path: string, quiet = false) => call<T>(path, {}, quiet),
  post: <T>(path: string, body?: unknown, quiet = false) => call<T>(path, json('POST', body), quiet),
  patch: <T>(path: string, body: unknown) => call<T>(path, json('PATCH', body)),
  upload: <T>(path: string, body: Blob) => call<T>(path, {
    method: 'POST', headers: { 'content-type': 'application/wasm' }, body,
  }),
}
