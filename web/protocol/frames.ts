// The wire: every frame of docs/PROTOCOL.md as a type. Unknown fields are ignored, unknown types skipped.

export type Id = string
export type Millis = number

export type Party = { kind: 'visitor'; id: Id } | { kind: 'agent'; id: Id } | { kind: 'system' }
export type State = 'waiting' | 'active' | 'closed'
export type Status = 'online' | 'away' | 'busy' | 'offline'
export type Role = 'agent' | 'supervisor' | 'admin'
export type Target = { kind: 'agent'; id: Id } | { kind: 'team'; id: Id }
export type QueueCause = 'opened' | 'transferred' | 'agent_lost' | 'agent_left' | 'left_message'
export type CloseReason = 'agent' | 'visitor' | 'left_queue'

export type Code =
  | 'bad_frame' | 'too_large' | 'unauthorized' | 'forbidden' | 'not_found'
  | 'conflict' | 'invalid' | 'blocked' | 'rate_limited' | 'unavailable' | 'unsupported'

export type ByeCode =
  | 'draining' | 'slow_reader' | 'idle' | 'unauthorized' | 'protocol'

export interface Summary {
  id: Id
  site: Id
  team: Id
  visitor: Id
  visitor_name?: string | null
  state: State
  agent?: Id | null
  agent_name?: string | null
  needs?: { name: string; level: number }[]
  priority?: number
  fields?: Record<string, string>
  page?: string | null
  language?: string | null
  offline?: boolean
  opened_at: Millis
  waiting_since: Millis
  assigned_at?: Millis | null
  closed_at?: Millis | null
  rating?: number | null
  version: number
  head?: number
}

/** A file of a conversation; `url` is a path on the server. */
export interface FileInfo {
  id: Id
  name: string
  type: string
  size: number
  width?: number
  height?: number
  url: string
}

interface EventBase {
  conversation: Id
  seq: number
  at: Millis
  from: Party
  key?: string
}

export type EventBody =
  | { type: 'opened'; site: Id; visitor: Id; fields?: Record<string, string>; page?: string }
  | { type: 'queued'; cause: QueueCause }
  | { type: 'assigned'; agent: Id; name: string; decision?: Id }
  | { type: 'message'; text: string; masked?: boolean; file?: FileInfo | undefined }
  | { type: 'note'; text: string }
  | { type: 'transferred'; to: Target; name: string; note?: string }
  | { type: 'rated'; score: number; comment?: string }
  | { type: 'closed'; reason: CloseReason }

export type KefuEvent = EventBase & EventBody

export interface You {
  kind: 'visitor' | 'agent'
  id: Id
  name?: string | null
  role?: Role
  status?: Status
}

export interface Limits {
  text_bytes: number
  frame_bytes: number
  file_bytes?: number
  file_types?: string[]
}

export interface Welcome {
  type: 'welcome'
  protocol: number
  session: Id
  you: You
  time: Millis
  heartbeat_ms: number
  idle_timeout_ms: number
  version: string
  limits: Limits
  conversations: Summary[]
}

export interface Ack {
  type: 'ack'
  key: string
  conversation: Id
  seq: number
  at: Millis
  text?: string
  rules?: string[]
}

export interface Failure {
  type: 'error'
  code: Code
  message: string
  key?: string
  conversation?: Id
  retry_after_ms?: number
}

export interface Bye {
  type: 'bye'
  code: ByeCode
  reconnect_ms?: number
}

/** Something the server stands on is out; `[]` says that all is well again. For those who supervise. */
export interface Outage {
  part: 'stream' | 'storage' | 'journal' | 'spool' | 'archive'
  since: Millis
  /** Waiting in the spool. */
  bytes?: number
  /** How far SQL is behind. */
  behind_ms?: number
}

export interface Typing { type: 'typing'; conversation: Id; from: Party; on: boolean }
export interface Seen {
  type: 'seen'; conversation: Id; from: Party; delivered?: number; read?: number
}
export interface Position { type: 'position'; conversation: Id; ahead: number; wait_ms?: number }

export type ServerFrame =
  | Welcome | Ack | Failure | Bye | Typing | Seen | Position
  | { type: 'event'; event: KefuEvent }
  | { type: 'conversation'; conversation: Summary }
  | { type: 'gone'; conversation: Id; version: number }
  | { type: 'report'; report: unknown }
  | { type: 'outages'; outages: Outage[] }
  | { type: 'me'; you: You }
  | { type: 'ping' }
  | { type: 'pong' }

/** Frames that carry a key, are answered by an `ack`, and are repeated until they are. */
export type Draft =
  | {
      type: 'open'; key: string; fields: Record<string, string>; text?: string
      page?: string; language?: string; offline?: boolean
    }
  | { type: 'send'; key: string; conversation: Id; text: string; note?: true; file?: Id | undefined }
  | { type: 'close'; key: string; conversation: Id }
  | { type: 'rate'; key: string; conversation: Id; score: number; comment?: string }
  | { type: 'transfer'; key: string; conversation: Id; to: Target; note?: string }
  | { type: 'take'; key: string; conversation: Id }

export interface ResumePoint { conversation: Id; seq: number }

/** Frames that may be lost: asked again by the next connection or not at all. */
export type Signal =
  | { type: 'status'; status: Status }
  | { type: 'follow'; conversation: Id; seq: number }
  | { type: 'unfollow'; conversation: Id }
  | { type: 'typing'; conversation: Id; on: boolean }
  | { type: 'seen'; conversation: Id; delivered?: number; read?: number }

export type ClientFrame =
  | { type: 'hello'; protocol: 1; token?: string; resume: ResumePoint[]; client: string }
  | Draft | Signal
  | { type: 'ping' } | { type: 'pong' } | { type: 'bye' }

export function sameParty(a: Party, b: Party): boolean {
  return a.kind === b.kind && (a as { id?: Id }).id === (b as { id?: Id }).id
}
