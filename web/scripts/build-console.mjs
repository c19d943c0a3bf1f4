// Builds the console when its sources are there: its config belongs to web/console.
import { existsSync } from 'node:fs'
import { build } from 'vite'

const config = new URL('../console/vite.config.ts', import.meta.url).pathname
if (existsSync(config)) await build({ configFile: config })
