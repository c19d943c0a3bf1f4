// Who is signed in. The token is a cookie this page cannot read; `me` is what the server says about it.

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import type { Role, Status } from '../../protocol'
import { ApiError, api } from '../lib/api'

export interface Me { id: string; name: string; role: Role; status: Status; login?: string }

type Answer = { agent?: Me } & Partial<Me>

/** Set while this browser is signed in: whoever is not need not ask the server. */
const KEPT = 'kefu.console.signed-in'

const RANK: Record<Role, number> = { agent: 0, supervisor: 1, admin: 2 }

export const useSession = defineStore('session', () => {
  const me = ref<Me>()
  const expired = ref(false)
  /** The server could not be asked who we are. */
  const unreachable = ref(false)
  let asked = false

  function accept(answer: Answer): void {
    me.value = (answer.agent ?? answer) as Me
    expired.value = false
    localStorage.setItem(KEPT, '1')
  }

  /** Asks once who the cookie belongs to; nobody is an answer too. */
  async function restore(): Promise<void> {
    if (asked || localStorage.getItem(KEPT) === null) return
    try {
      accept(await api.get<Answer>('/v1/me', true))
      asked = true
      unreachable.value = false
    } catch (error) {
      asked = error instanceof ApiError && error.status !== 0
      if (error instanceof ApiError && error.status === 401) localStorage.removeItem(KEPT)
      unreachable.value = !asked
    }
  }

  async function signIn(login: string, password: string): Promise<void> {
    accept(await api.post<Answer>('/v1/login', { login, password }, true))
    asked = true
  }

  async function signOut(): Promise<void> {
    await api.post('/v1/logout', {}, true).catch(() => undefined)
    localStorage.removeItem(KEPT)
    me.value = undefined
  }

  function lose(): void {
    if (me.value) expired.value = true
    localStorage.removeItem(KEPT)
    me.value = undefined
  }

  const may = (role: Role): boolean => me.value !== undefined && RANK[me.value.role] >= RANK[role]

  return {
    me, expired, unreachable, restore, signIn, signOut, lose, may,
    isAdmin: computed(() => may('admin')),
  }
})
