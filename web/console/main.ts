// Starts the console: language first, then who is signed in, then the page.

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import '../ui/tokens.css'
import './ui/element'
import './ui/theme.css'
import './ui/base.css'
import App from './App.vue'
import { i18n, speak } from './i18n'
import { whenUnauthorized } from './lib/api'
import { makeRouter } from './router'
import { usePrefs } from './stores/prefs'
import { useSession } from './stores/session'

async function start(): Promise<void> {
  const app = createApp(App)
  app.use(createPinia())
  usePrefs()
  const session = useSession()
  const router = makeRouter()
  whenUnauthorized(() => {
    session.lose()
    void router.push({ name: 'sign-in', query: { then: router.currentRoute.value.fullPath } })
  })
  await Promise.all([speak(), session.restore()])
  app.use(i18n)
  app.use(router)
  app.mount('#app')
}

void start()
