// Names behind ids: agents, teams, sites. Loaded when first needed, reloaded when asked.

import { defineStore } from 'pinia'
import { ref } from 'vue'

import { api } from '../lib/api'
import type { Account, Site, Team } from '../lib/types'

type Many<K extends string, T> = Record<K, T[]> | T[]

function list<K extends string, T>(answer: Many<K, T>, key: K): T[] {
  return Array.isArray(answer) ? answer : answer[key]
}

export const useDirectory = defineStore('directory', () => {
  const agents = ref<Account[]>([])
  const teams = ref<Team[]>([])
  const sites = ref<Site[]>([])

  async function loadAgents(): Promise<void> {
    agents.value = list(await api.get<Many<'agents', Account>>('/v1/agents'), 'agents')
  }
  async function loadTeams(): Promise<void> {
    teams.value = list(await api.get<Many<'teams', Team>>('/v1/teams'), 'teams')
  }
  async function loadSites(): Promise<void> {
    sites.value = list(await api.get<Many<'sites', Site>>('/v1/sites'), 'sites')
  }
  /** What names need; a role that may not read one of them does without. */
  async function load(): Promise<void> {
    await Promise.allSettled([loadAgents(), loadTeams(), loadSites()])
  }

  const teamName = (id: string): string => teams.value.find((t) => t.id === id)?.name ?? ''
  const siteName = (id: string): string => sites.value.find((s) => s.id === id)?.name ?? ''
  const agentName = (id: string): string => agents.value.find((a) => a.id === id)?.name ?? ''

  return {
    agents, teams, sites, load, loadAgents, loadTeams, loadSites, teamName, siteName, agentName,
  }
})
