// The types of the HTTP API are those of docs/openapi.json.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

import { expect, test } from 'vitest'

test('console/lib/api-types.ts is what docs/openapi.json says (npm run generate:types)', () => {
  const web = join(import.meta.dirname, '../..')
  const check = () => execFileSync('npm', ['run', '--silent', 'check:types'], { cwd: web, stdio: 'pipe' })
  expect(check).not.toThrow()
}, 60_000)
