// What the widget's suites share: a browser whose every complaint is kept, pictures with what an accessibility checker
// and a layout lint say about them, and the few gestures of a visitor.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

/** A busy machine is no failure, a thing that never comes is. */
export const DEADLINE_MS = 20_000
const shots = new URL('../../target/screenshots/', import.meta.url).pathname
const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

export const inside = (page) => page.locator('#kefu-widget')
export const launcher = (page) => inside(page).locator('.launcher')
export const composer = (page) => inside(page).locator('.composer textarea')
export const text = (page, wanted) =>
  inside(page).getByText(wanted, { exact: false }).first().waitFor({ timeout: DEADLINE_MS })

export async function type(page, words) {
  await composer(page).fill(words)
  await composer(page).press('Enter')
}

export async function fillForm(page, name, email) {
  const form = inside(page).locator('form')
  if (!(await form.count())) return
  for (const select of await form.locator('select').all()) await select.selectOption({ index: 1 })
  for (const input of await form.locator('input').all()) {
    const kind = await input.getAttribute('type')
    await input.fill(kind === 'email' ? email : kind === 'tel' ? '13800000000' : name)
  }
}

/** Opens the panel and answers the questions: the composer is there. */
export async function begin(page, name = '王小姐', email = 'wang@example.com') {
  await launcher(page).click()
  await inside(page).locator('.panel').waitFor()
  await composer(page).or(inside(page).locator('form')).waitFor()
  if (await inside(page).locator('form').count()) {
    await fillForm(page, name, email)
    await inside(page).locator('form button[type=submit]').click()
  }
  await composer(page).waitFor()
}

export async function startBrowser(base, name) {
  mkdirSync(shots, { recursive: true })
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  const problems = []
  const watch = (page, path) => {
    page.setDefaultTimeout(DEADLINE_MS)
    page.on('console', (m) => {
      if (m.type() === 'error' && !page.context().expectErrors) problems.push(`${path}: ${m.text()}`)
    })
    page.on('pageerror', (e) => problems.push(`${path}: ${e.message}`))
    return page
  }
  return {
    browser,
    watch,
    async open(path, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
      const page = watch(await context.newPage(), path)
      await page.goto(path.startsWith('http') ? path : base + path)
      return page
    },
    async shot(page, file) {
      await page.screenshot({ path: `${shots}${file}.png` })
      for (const wrong of [...await accessibility(page), ...await layout(page)]) problems.push(`${file}: ${wrong}`)
    },
    /** Runs one check; where it fails, every open page is kept as a picture. */
    async check(what, act) {
      try {
        await act()
      } catch (error) {
        process.stdout.write(`not ok  ${name}: ${what}\n`)
        const pages = browser.contexts().flatMap((context) => context.pages())
        for (const [n, page] of pages.entries()) {
          await page.screenshot({ path: `${shots}failed-${name}-${n}.png` }).catch(() => undefined)
        }
        throw error
      }
      process.stdout.write(`ok  ${name}: ${what}\n`)
    },
    finish: () => assert.deepEqual(problems, [], 'accessibility, layout, or errors in the browser log'),
  }
}

async function accessibility(page) {
  // Through the debugger: the page may run no foreign script.
  const cdp = await page.context().newCDPSession(page)
  const run = async (expression) => {
    const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', {
      expression, awaitPromise: true, returnByValue: true,
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }
  await run(`${axe};0`)
  const found = await run(`axe.run('#kefu-widget', { runOnly: ${JSON.stringify(RULES)} })
    .then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html.slice(0, 120))))`)
  await cdp.detach()
  return found
}

/** Cut text, sideways scrolling, targets under 24 px, parts outside of the window. */
async function layout(page) {
  return page.evaluate(() => {
    const root = document.querySelector('#kefu-widget')?.shadowRoot
    const found = []
    if (document.scrollingElement.scrollWidth > innerWidth + 1) found.push('the page scrolls sideways')
    for (const el of root?.querySelectorAll('*') ?? []) {
      if (!el.checkVisibility() || el.closest('svg, .preview')) continue
      const box = el.getBoundingClientRect()
      if (box.width < 1 || box.height < 1) continue
      const name = `<${el.tagName.toLowerCase()} class="${el.className}"> ${(el.innerText ?? '').slice(0, 40)}`
      if (el.matches('.panel, .launcher') && (box.left < 0 || box.top < 0
        || box.right > innerWidth + 1 || box.bottom > innerHeight + 1)) found.push(`out of the window: ${name}`)
      if (el.matches('button, a, input, select, textarea') && !el.closest('.bubble')
        && (Math.round(box.width) < 24 || Math.round(box.height) < 24)) found.push(`small target: ${name}`)
      if (el.scrollWidth > el.clientWidth + 1 && el.clientWidth > 0 && !el.matches('h2, textarea, input, .launcher')
        && getComputedStyle(el).display !== 'inline') found.push(`cut or scrolls sideways: ${name}`)
    }
    return found
  })
}
