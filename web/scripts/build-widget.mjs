// Builds the panel, its style and the languages first (hashed names), then kefu.js as a plain script that knows these
// names. Builds of their own, because a classic script may have neither exports nor static imports and must not leave
// its names in the page, and because a style and each language pack better alone than behind one another.
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
    if (/\/widget\/[a-z]+\.css/.test(id)) return short(code)
    if (!id.startsWith(`${root}widget/`) || !id.endsWith('.ts')) return undefined
    return short(code).replace(/\bt\.(\w+)/g, (all, key) => {
      if (!keys.includes(key)) throw new Error(`${id}: ${all} is not a sentence`)
      return `t[${keys.indexOf(key)}]`
    })
  },
}

// Custom properties of the style are letters too.
const letters = new Map()
const short = (code) => code.replace(/--[a-z][a-z-]*/g, (name) => {
  if (!letters.has(name)) letters.set(name, `--${(letters.size + 10).toString(36)}`)
  return letters.get(name)
})
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

const parts = []
for (const [name, input] of [['panel', 'widget/panel.ts'], ['style', 'widget/style.ts'],
  ['zh-CN', 'i18n/widget.zh-CN.json'], ['en', 'i18n/widget.en.json'], ['longpoll', 'protocol/longpoll.ts']]) {
  const code = await bundle(input, 'es')
  const file = `assets/widget-${name}-${hash(code)}.js`
  writeFileSync(`${out}/${file}`, code)
  parts.push(`./${file}`)
}
writeFileSync(`${out}/kefu.js`, await bundle('widget/loader.ts', 'iife', { __PARTS__: JSON.stringify(parts) }))

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
