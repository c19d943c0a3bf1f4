// What every suite needs of a browser: Chromium, whose every complaint is kept, and checks that leave pictures behind.
import { mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'

/** A busy machine is no failure, a thing that never comes is. */
export const DEADLINE_MS = 20_000
export const shots = new URL('../../target/screenshots/', import.meta.url).pathname
mkdirSync(shots, { recursive: true })

/** `problems` holds whatever a page wrote to its log as an error, was refused or violated, unless its context expects
 * errors; on a page of our own (`strict`) warnings, missing files and violations of its policy too. */
export async function startBrowser(base, { strict = true, ...defaults } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  const problems = []
  function watch(page, name) {
    page.setDefaultTimeout(DEADLINE_MS)
    const note = (text) => {
      if (!page.context().expectErrors) problems.push(`${name ?? new URL(page.url() || base).pathname}: ${text}`)
    }
    const told = strict ? ['error', 'warning'] : ['error']
    page.on('console', (m) => { if (told.includes(m.type())) note(m.text()) })
    page.on('pageerror', (error) => note(error.message))
    if (!strict) return page
    page.on('response', (r) => { if (r.status() === 404) note(`404 ${r.url()}`) })
    // Sent before whatever the page is told next.
    void page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (e) => {
        console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)
      })
    })
    return page
  }
  async function open(path, { context: given, ...options } = {}) {
    const context = given ?? await browser.newContext({ ...defaults, ...options })
    const page = watch(await context.newPage(), path)
    await page.goto(new URL(path, base).href)
    return page
  }
  return { browser, problems, open, watch }
}

/** Runs checks; where one fails, every open page is kept as a picture. The suite goes on and fails at its end, or at once
 * when `most` have failed. */
export function checker(browser, name, most = 1) {
  const failed = []
  const check = async (what, act) => {
    const start = Date.now()
    try {
      await act()
    } catch (error) {
      const pages = browser.contexts().flatMap((context) => context.pages())
      for (const [n, page] of pages.entries()) {
        await page.screenshot({ path: `${shots}${name}-failed-${failed.length}-${n}.png` }).catch(() => undefined)
      }
      process.stdout.write(`not ok  ${what}: ${error.stack}\n`)
      failed.push(what)
      if (failed.length >= most) throw new Error(`failed: ${failed.join('; ')}`)
      return
    }
    process.stdout.write(`ok  ${what} (${((Date.now() - start) / 1000).toFixed(1)} s)\n`)
  }
  check.failed = failed
  return check
}
