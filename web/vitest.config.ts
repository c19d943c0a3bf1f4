// Pure logic only; what needs a browser is in e2e/.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{protocol,widget,ui,i18n,console}/**/*.test.ts'],
    environment: 'node',
    testTimeout: 10_000,
  },
})
