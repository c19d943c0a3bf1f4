// What the widget's suites share: pictures with what an accessibility checker and a layout lint say about them, and the
// few gestures of a visitor.
import assert from 'node:assert/strict'
import { DEADLINE_MS, checker, shots, startBrowser as browse } from './browser.mjs'
import { accessibility, focus } from './lint.mjs'

export { DEADLINE_MS }

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
  const { browser, problems, open, watch } =
    await browse(base, { strict: false, viewport: { width: 1280, height: 800 } })
  return {
    browser,
    open,
    watch,
    check: checker(browser, name),
    async shot(page, file) {
      await page.screenshot({ path: `${shots}${file}.png` })
      const wrong = [...await accessibility(page, '#kefu-widget'), ...await layout(page)]
      problems.push(...wrong.map((one) => `${file}: ${one}`))
    },
    /** Goes through the panel with Tab. */
    async stops(page, where) {
      problems.push(...(await focus(page, { host: '#kefu-widget' })).map((one) => `${where}: ${one}`))
    },
    finish: () => assert.deepEqual(problems, [], 'accessibility, layout, or errors in the browser log'),
  }
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
