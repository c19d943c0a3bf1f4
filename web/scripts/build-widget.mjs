// Builds the panel first (hashed name), then kefu.js as a plain script that knows this name. Two builds, because a
// classic script may have neither exports nor static imports, and must not leave its names in the page.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'vite'

const root = new URL('..', import.meta.url).pathname
const out = `${root}dist`

try {
  for (const old of readdirSync(`${out}/assets`)) {
    if (/^(widget|demo|chat)-/.test(old)) rmSync(`${out}/assets/${old}`)
  }
} catch { /* first build */ }

const shared = {
  configFile: false, root, base: './', logLevel: 'warn', publicDir: false,
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
      output: {
        format: 'es',
        entryFileNames: 'assets/widget-panel-[hash].js',
        chunkFileNames: ({ name }) => `assets/widget-${name.replace('widget.', '')}-[hash].js`,
      },
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

// Plain pages: their styles and scripts get a hash into the name, because assets are cached for ever.
for (const page of ['demo', 'chat']) {
  let html = readFileSync(`${root}${page}/index.html`, 'utf8')
  for (const file of readdirSync(`${root}${page}`)) {
    if (file === 'index.html') continue
    const bytes = readFileSync(`${root}${page}/${file}`)
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8)
    const hashed = `${page}-${file.replace('.', `-${hash}.`)}`
    writeFileSync(`${out}/assets/${hashed}`, bytes)
    html = html.replaceAll(`"./${file}"`, `"/assets/${hashed}"`)
  }
  writeFileSync(`${out}/${page}.html`, html)
}
