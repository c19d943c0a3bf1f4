// WebSocket carrier: one text frame is one JSON object, `hello` goes first.

import { parse } from './frames'
import type { Carrier, CarrierEvents, Hello } from './carrier'

export function openWebSocket(base: string, hello: Hello, on: CarrierEvents): Carrier {
  const url = new URL('/v1/ws', base)
  url.protocol = url.protocol.replace('http', 'ws')
  const socket = new WebSocket(url)
  let dead = false
  const down = (why: string): void => {
    if (dead) return
    dead = true
    try { socket.close() } catch { /* already gone */ }
    on.down(why)
  }
  socket.onopen = () => socket.send(JSON.stringify(hello))
  socket.onmessage = ({ data }) => {
    const frame = !dead && typeof data === 'string' ? parse(data) : undefined
    if (frame) on.frame(frame)
  }
  socket.onerror = () => down('error')
  socket.onclose = ({ code }) => down(`closed ${code}`)
  return {
    kind: 'websocket',
    send(frame) {
      if (!dead && socket.readyState === 1) socket.send(JSON.stringify(frame))
    },
    close() {
      dead = true
      socket.close()
    },
  }
}
