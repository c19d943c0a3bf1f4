// Builds the panel and the languages first (hashed names), then kefu.js as a plain script that knows these names. Builds
// of their own, because a classic script may have neither exports nor static imports and must not leave its names in
// the page.
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
    if (/\/widget\/[a-z]+\.css/.test(id)) return short(tight(code))
    if (!marked.has(id)) return undefined
    return short(marked.get(id)).replace(/\bt(\(\))?\.(\w+)/g, (all, call = '', key) => {
      if (!keys.includes(key)) throw new Error(`${id}: ${all} is not a sentence`)
      return `t${call}[${keys.indexOf(key)}]`
    })
  },
}

// A style as it was written, without its spaces: whoever reorders it makes it pack worse.
const tight = (css) => css.replace(/\s+/g, ' ').replace(/ ?([{};,>]) ?/g, '$1').replace(/: /g, ':')
  .replaceAll(';}', '}').trim()

// Custom properties of the style are letters too.
const letters = new Map()
const short = (code) => code.replace(/--[a-z][a-z-]*/g, (name) => {
  if (!letters.has(name)) letters.set(name, `--${(letters.size + 10).toString(36)}`)
  return letters.get(name)
})
const { marked, squeeze } = squeezer(root)

async function bundle(input, format, { define = {}, external = [] } = {}) {
  const result = await build({
    configFile: false, root, base: './', logLevel: 'warn', publicDir: false, define, plugins: [words],
    build: {
      write: false, minify: false, cssMinify: false, target: 'es2022', modulePreload: false,
      rolldownOptions: { input: root + input, external, preserveEntrySignatures: 'strict', output: { format } },
    },
  })
  const { output } = Array.isArray(result) ? result[0] : result
  if (output.length !== 1) throw new Error(`${input}: expected one file, got ${output.map((o) => o.fileName)}`)
  const [{ code }] = output
  return squeeze(external.length > 0 ? lent(code) : code, format === 'es')
}

/** What a file imports it is given instead: the panel makes its elements with what the loader has for that. */
function lent(code) {
  const [line, given] = /^import \{(.+)\} from .*$/m.exec(code)
  const names = given.split(',').map((name) => name.trim().split(' as ').pop())
  const inner = code.replace(line, '').replace(/^export \{ (\w+) as default \};?$/m, 'return $1')
  return `export default (${names}) => {${inner}}`
}

/** A text as a file of its own: nothing in it may end a template. */
function text(words, more = '') {
  if (/[`\\]|\$\{/.test(words)) throw new Error(`cannot be written as it is: ${words}`)
  return `export default\`${words}\`${more}`
}
const read = (file) => readFileSync(root + file, 'utf8')
const language = (name) => text(Object.values(JSON.parse(read(`i18n/widget.${name}.json`))).join('\n'), ".split('\\n')")

const parts = []
for (const [name, code] of [
  ['panel', await bundle('widget/panel.ts', 'es', { external: [/\/dom$/] })],
  ['zh-CN', language('zh-CN')], ['en', language('en')], ['files', await bundle('widget/files.ts', 'es')],
]) {
  const part = `${name}-${hash(code)}`
  writeFileSync(`${out}/assets/widget-${part}.js`, code)
  parts.push(part)
}
const define = { __PARTS__: JSON.stringify(parts) }
writeFileSync(`${out}/kefu.js`, await bundle('widget/loader.ts', 'iife', { define }))

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
