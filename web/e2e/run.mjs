// Every browser suite, one after the other: `npm run e2e [suite…]`. KEFU_BIN names the program, CHROMIUM the browser;
// screenshots go to target/screenshots. One line per check; the last line counts them; ends with 1 if one failed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

const SUITES = ['widget', 'widget-hard', 'widget-files', 'widget-look', 'console', 'console-look', 'outage', 'story']
const asked = process.argv.slice(2)
let passed = 0
let failed = 0

for (const suite of asked.length > 0 ? asked : SUITES) {
  const file = new URL(`${suite}.mjs`, import.meta.url)
  if (asked.length === 0 && !existsSync(file)) continue
  const child = spawn(process.execPath, [file.pathname], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
    process.stdout.write(chunk)
  })
  const code = await new Promise((done) => child.on('close', done))
  const bad = out.match(/^not ok\b/gm)?.length ?? 0
  passed += out.match(/^ok\b/gm)?.length ?? 0
  // A suite that ends badly without a failed check failed as a whole.
  failed += bad || (code === 0 ? 0 : 1)
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)
