// Builds the panel first (hashed name), then kefu.js as a plain script that knows this name. Two builds, because a
// classic script may have neither exports nor static imports, and must not leave its names in the page.
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { build } from 'vite'

const root = new URL('..', import.meta.url).pathname
const out = `${root}dist`

try {
  for (const old of readdirSync(out)) if (old.startsWith('widget-')) rmSync(`${out}/${old}`)
} catch { /* first build */ }

const shared = {
  configFile: false, root, logLevel: 'warn', publicDir: false,
}
const options = { outDir: out, emptyOutDir: false, target: 'es2022', reportCompressedSize: false }

const panel = await build({
  ...shared,
  build: {
    ...options,
    modulePreload: false,
    rolldownOptions: {
      input: `${root}widget/panel.ts`,
      preserveEntrySignatures: 'strict',
      output: { format: 'es', entryFileNames: 'widget-panel-[hash].js' },
    },
  },
})
const name = (Array.isArray(panel) ? panel[0] : panel).output[0].fileName

await build({
  ...shared,
  define: { __PANEL__: JSON.stringify(`./${name}`) },
  build: {
    ...options,
    rolldownOptions: {
      input: `${root}widget/loader.ts`,
      output: { format: 'iife', entryFileNames: 'kefu.js' },
    },
  },
})

cpSync(`${root}demo`, out, { recursive: true })
