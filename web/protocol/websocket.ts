// WebSocket carrier: one text frame is one JSON object, `hello` goes first.

import type { Carrier, CarrierEvents, Hello } from './carrier'
import type { ClientFrame } from './frames'

export function openWebSocket(base: string, hello: Hello, on: CarrierEvents): Carrier {
  const url = new URL('/v1/ws', base)
  url.protocol = url.protocol.replace('http', 'ws')
  const socket = new WebSocket(url)
  const send = (frame: ClientFrame): void => {
    if (socket.readyState === 1) socket.send(JSON.stringify(frame))
  }
  socket.onopen = () => send(hello)
  socket.onmessage = ({ data }) => on.frame(JSON.parse(data as string))
  socket.onclose = () => on.down()
  return { kind: 'websocket', send, close: () => socket.close() }
}
