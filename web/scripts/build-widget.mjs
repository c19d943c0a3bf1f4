// Builds the panel first (hashed name), then kefu.js as a plain script that knows this name. Two builds, because a
// classic script may have neither exports nor static imports, and must not leave its names in the page.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'vite'
import { squeezer } from './squeeze.mjs'

const root = new URL('..', import.meta.url).pathname
const out = `${root}dist`
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 8)

mkdirSync(`${out}/assets`, { recursive: true })
for (const old of readdirSync(`${out}/assets`)) {
  if (/^(widget|demo|chat)-/.test(old)) rmSync(`${out}/assets/${old}`)
}

// Sentences travel as one list per language and are called by number: their names stay here.
const keys = Object.keys(JSON.parse(readFileSync(`${root}i18n/widget.en.json`, 'utf8')))
const words = {
  name: 'words',
  enforce: 'pre',
  transform(code, id) {
    if (/widget\.[\w-]+\.json$/.test(id)) {
      const list = JSON.stringify(Object.values(JSON.parse(code)).join('\n'))
      return { code: `export default ${list}.split('\\n')`, moduleType: 'js' }
    }
    if (!id.startsWith(`${root}widget/`) || !id.endsWith('.ts')) return undefined
    return code.replace(/\bt\.(\w+)/g, (all, key) => {
      if (!keys.includes(key)) throw new Error(`${id}: ${all} is not a sentence`)
      return `t[${keys.indexOf(key)}]`
    })
  },
}

const squeeze = squeezer(root)
async function bundle(input, format, define = {}) {
  const result = await build({
    configFile: false, root, base: './', logLevel: 'warn', publicDir: false, define, plugins: [words],
    build: {
      write: false, minify: false, cssMinify: true, target: 'es2022', modulePreload: false,
      rolldownOptions: { input: root + input, preserveEntrySignatures: 'strict', output: { format } },
    },
  })
  const { output } = Array.isArray(result) ? result[0] : result
  if (output.length !== 1) throw new Error(`${input}: expected one file, got ${output.map((o) => o.fileName)}`)
  return squeeze(output[0].code, format === 'es')
}

const panel = await bundle('widget/panel.ts', 'es')
const name = `assets/widget-panel-${hash(panel)}.js`
writeFileSync(`${out}/${name}`, panel)
writeFileSync(`${out}/kefu.js`,
  await bundle('widget/loader.ts', 'iife', { __PANEL__: JSON.stringify(`./${name}`) }))

// Plain pages: their styles and scripts get a hash into the name, because assets are cached for ever.
for (const page of ['demo', 'chat']) {
  let html = readFileSync(`${root}${page}/index.html`, 'utf8')
  for (const file of readdirSync(`${root}${page}`)) {
    if (file === 'index.html') continue
    const bytes = readFileSync(`${root}${page}/${file}`)
    const hashed = `${page}-${file.replace('.', `-${hash(bytes)}.`)}`
    writeFileSync(`${out}/assets/${hashed}`, bytes)
    html = html.replaceAll(`"./${file}"`, `"/assets/${hashed}"`)
  }
  writeFileSync(`${out}/${page}.html`, html)
}
