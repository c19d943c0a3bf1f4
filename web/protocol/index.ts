// Everything a surface needs of the protocol.
export { Client, newKey } from './client'
export type { ClientEvents, ClientOptions } from './client'
export type { ConnectionState } from './connection'
export * from './frames'
export { LOCAL } from './outbox'
export type { Entry, Store } from './outbox'
export { Thread } from './thread'
export type { Row, RowState } from './thread'
