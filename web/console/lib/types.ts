// What the HTTP API answers, beyond the frames of the protocol.

import type { Id, Millis, Role, Status } from '../../protocol/frames'

export interface Account {
  id: Id
  name: string
  status: Status
  login?: string
  role?: Role
  teams: Id[]
  skills?: Skill[]
  capacity: number
  quality?: number
  enabled?: boolean
  present?: boolean
  active?: number
}
export interface Skill { name: string; level: number }
export interface Team { id: Id; name: string }
export interface Need { skill: string; level: number; required: boolean }
export type Words = Record<string, string>

export interface Field {
  name: string
  kind: string
  label: Words
  required: boolean
  options: { value: string; label: Words; skill?: string | null }[]
}
export interface Site {
  id: Id
  key: string
  name: string
  team: Id
  origins: string[]
  widget: {
    color: string
    position: string
    greeting: Words
    fields: Field[]
    needs: Need[]
    /** Only visitors for whom the site's server vouches. */
    identity_required: boolean
  }
  enabled: boolean
}

export interface Decision {
  id: Id
  at: Millis
  excluded: [Id, string, string][]
  ranked: { agent: Id; name: string; score: number; factors: number[] }[]
  factor_names: string[]
  passed: [Id, string][]
  chosen: Id | null
  generation: Id | null
  digest: string | null
  outcome: string
  fuel: number
  micros: number
}

export interface Policy {
  generation: Id
  number: number
  name: string
  version: string
}

export interface Finding {
  rule: string
  severity: 'info' | 'warn' | 'fail'
  seq: number | null
  span: [number, number] | null
  facts: [string, string][]
}
export interface Report {
  conversation: Id
  agent: Id | null
  at: Millis
  generation: Id | null
  card: { score: number; items: { rule: string; points: number; max: number }[]; findings: Finding[] }
}

export type Point = 'routing' | 'filter' | 'inspection'
export interface Generation {
  id: Id
  number: number
  point: Point
  name: string
  plugin_version: string
  digest: string
  config: string
  fuel: number
  deadline_ms: number
  stage: 'admitted' | 'active' | 'retired' | 'quarantined'
  created_at: Millis
  activated_at: Millis | null
  created_by: string
  fault: string | null
}
/** What one generation did since the server started. */
export interface Served {
  generation: Id
  faults: number
  calls: number
  p50_us: number
  p99_us: number
}
export interface PluginList {
  generations: Generation[]
  points: Partial<Record<Point, { active?: Id | null; served: Served[] }>>
}
