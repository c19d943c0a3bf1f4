// What carries frames: a WebSocket or a parked poll. A carrier lives once: it opens, delivers, dies.

import type { ClientFrame, ServerFrame } from './frames'

export interface CarrierEvents {
  frame(frame: ServerFrame): void
  /** It died, or never lived. After `close` nobody listens any more. */
  down(retryAfterMs?: number): void
}

export interface Carrier {
  readonly kind: 'websocket' | 'longpoll'
  send(frame: ClientFrame): void
  close(): void
}

export type Hello = Extract<ClientFrame, { type: 'hello' }>
export type OpenCarrier = (base: string, hello: Hello, on: CarrierEvents) => Carrier
