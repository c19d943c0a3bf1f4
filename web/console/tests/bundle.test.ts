// The built console: first load at most 250 KB gzip, nothing inline, no development leftovers. Builds it when missing.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { build } from 'vite'
import { beforeAll, expect, test } from 'vitest'

const OUT = join(import.meta.dirname, '../../dist/console')

beforeAll(async () => {
  if (existsSync(join(OUT, 'index.html'))) return
  await build({ configFile: join(import.meta.dirname, '../vite.config.ts'), logLevel: 'error' })
}, 120_000)

test('first load is at most 250 KB gzip', () => {
  const page = readFileSync(join(OUT, 'index.html'), 'utf8')
  const files = [...page.matchAll(/(?:src|href)="\/console\/(assets\/[^"]+)"/g)].map((found) => found[1] ?? '')
  expect(files.length).toBeGreaterThan(1)
  const language = readdirSync(join(OUT, 'assets')).find((name) => name.startsWith('console.zh-CN')) ?? ''
  const total = [...files, `assets/${language}`]
    .reduce((sum, name) => sum + gzipSync(readFileSync(join(OUT, name))).length, gzipSync(page).length)
  expect(total).toBeLessThanOrEqual(250 * 1024)
})

test('nothing inline, nothing of development', () => {
  const page = readFileSync(join(OUT, 'index.html'), 'utf8')
  expect(page).not.toMatch(/<style|style=|<script(?![^>]*src=)/)
  for (const name of readdirSync(join(OUT, 'assets')).filter((one) => one.endsWith('.js'))) {
    const code = readFileSync(join(OUT, 'assets', name), 'utf8')
    expect(code).not.toContain('[Vue warn]')
    expect(code).not.toMatch(/web\/console\/|node_modules\/|\.vue\b|sourceMappingURL/)
    expect(code).not.toMatch(/\bnew Function\(|\beval\(/)
  }
})
