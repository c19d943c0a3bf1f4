// Pages. Who may not open one is told so by the frame (App.vue).

import { createRouter, createWebHistory } from 'vue-router'

import Conversations from './views/Conversations.vue'
import SignIn from './views/SignIn.vue'
import { useSession } from './stores/session'

export function makeRouter() {
  const router = createRouter({
    history: createWebHistory('/console/'),
    routes: [
      { path: '/', redirect: '/conversations' },
      { path: '/sign-in', name: 'sign-in', component: SignIn, meta: { open: true, title: 'signin.submit' } },
      {
        path: '/conversations/:id(\\d+)?', name: 'conversations', component: Conversations,
        meta: { title: 'nav.conversations' },
      },
      {
        path: '/agents', name: 'agents', component: () => import('./views/Agents.vue'),
        meta: { admin: true, title: 'nav.agents' },
      },
      {
        path: '/teams', name: 'teams', component: () => import('./views/Teams.vue'),
        meta: { admin: true, title: 'nav.teams' },
      },
      {
        path: '/sites', name: 'sites', component: () => import('./views/Sites.vue'),
        meta: { admin: true, title: 'nav.sites' },
      },
      {
        path: '/plugins', name: 'plugins', component: () => import('./views/Plugins.vue'),
        meta: { admin: true, title: 'nav.plugins' },
      },
      {
        path: '/:rest(.*)*', name: 'missing', component: () => import('./views/NotFound.vue'),
        meta: { title: 'notFound.title' },
      },
    ],
  })
  router.beforeEach((to) => {
    const session = useSession()
    if (!to.meta['open'] && !session.me) {
      return { name: 'sign-in', query: to.path === '/' ? {} : { then: to.fullPath } }
    }
    if (to.name === 'sign-in' && session.me) return { name: 'conversations' }
    return true
  })
  // A page of an older build is gone from the server: load the new one.
  router.onError((error, to) => {
    if (/import|fetch|module/i.test(String(error))) location.assign(`/console${to.fullPath}`)
  })
  return router
}
