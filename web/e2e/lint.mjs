// What a page may not have, whatever its words: cut text, sideways scrolling, targets under 24 px, a focus nobody sees.
import { readFileSync } from 'node:fs'

const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** Sentences on what axe finds wrong; through the debugger, because the page runs no foreign script. */
export async function accessibility(page, part = 'html') {
  const cdp = await page.context().newCDPSession(page)
  const run = async (expression) => {
    const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', {
      expression, awaitPromise: true, returnByValue: true,
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }
  await run(`${axe};0`)
  const found = await run(`axe.run('${part}', { runOnly: ${JSON.stringify(RULES)}, resultTypes: ['violations'] })
    .then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html.slice(0, 160)
      + ' ' + (n.any[0]?.message ?? '').slice(0, 120))))`)
  await cdp.detach()
  return found
}

/** Sentences on the layout. Words of people (`dir=auto`) may be cut, ours may not. */
export function layout(page) {
  return page.evaluate(() => {
    const found = []
    const root = document.scrollingElement
    if (root.scrollWidth > innerWidth + 1) found.push(`scrolls sideways: ${root.scrollWidth} > ${innerWidth}`)
    const tell = (el) => `<${el.tagName.toLowerCase()} class="${el.getAttribute('class') ?? ''}"> ${(el.innerText ?? '').slice(0, 40)}`
    const visible = (el) => {
      const box = el.getBoundingClientRect()
      return box.width > 1 && box.height > 1 && el.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    }
    const scope = [...document.querySelectorAll('[role=dialog]')].filter(visible).at(-1) ?? document.body
    const hides = (style) => /hidden|clip/.test(style.overflowX)
    for (const el of scope.querySelectorAll('*')) {
      if (!visible(el) || el.closest('svg, [dir=auto], .hidden-text, .skip')) continue
      const words = [...el.childNodes].filter((node) => node.nodeType === 3 && node.data.trim())
      if (words.length === 0) continue
      const range = document.createRange()
      range.setStartBefore(words[0])
      range.setEndAfter(words.at(-1))
      const text = range.getBoundingClientRect()
      for (let box = el, placed = false; box && box !== document.documentElement; box = box.parentElement) {
        const style = getComputedStyle(box)
        placed ||= /absolute|fixed/.test(style.position)
        if (!placed && /flex|grid|block/.test(style.display) && !hides(style)) {
          const { right } = box.getBoundingClientRect()
          if (text.right > right + 1) {
            found.push(`spills: ${tell(el)}`)
            break
          }
        }
        if (/auto|scroll/.test(style.overflowX + style.overflowY)) break
        const edge = box.getBoundingClientRect()
        if (hides(style) && (text.right > edge.right + 1 || text.left < edge.left - 1 || text.bottom > edge.bottom + 2)) {
          found.push(`cut: ${tell(el)}`)
          break
        }
      }
      if (text.right > innerWidth + 1 && !el.closest('.scroller')) found.push(`out of the page: ${tell(el)}`)
    }
    const targets = 'button, a, input, select, textarea, summary, [role=button], [role=option], [role=menuitem], [role=tab]'
    for (const el of scope.querySelectorAll(targets)) {
      const whole = el.closest('.el-switch, .el-input__wrapper, .el-select__wrapper, .el-input-number, .el-radio-button') ?? el
      if (!visible(el) || el.closest('.skip, .hidden-text, .bubble') || el.type === 'file') continue
      const { width, height } = whole.getBoundingClientRect()
      if (Math.round(width) < 24 || Math.round(height) < 24) {
        found.push(`small target ${Math.round(width)}×${Math.round(height)}: ${tell(el)} ${el.getAttribute('aria-label') ?? ''}`)
      }
    }
    return found
  })
}

/**
 * Goes through the page with Tab, or through what is in the shadow of `host`, from its panel to where it is left;
 * sentences on the stops where nothing shows the focus, and one where there is no stop.
 */
export async function focus(page, { most = 60, host } = {}) {
  const found = []
  let stops = 0
  await page.evaluate((within) => {
    window.focused = new Set()
    if (!within) return document.activeElement?.blur()
    const { shadowRoot } = document.querySelector(within)
    window.before = shadowRoot.activeElement
    shadowRoot.querySelector('.panel').focus()
  }, host)
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate(async (within) => {
      const outer = document.activeElement
      const el = within ? outer?.shadowRoot?.activeElement : outer
      if (!el || el === document.body || window.focused.has(el)) return { end: true }
      window.focused.add(el)
      const chain = [el, el.parentElement, el.parentElement?.parentElement, el.nextElementSibling].filter(Boolean)
      const look = () => JSON.stringify(chain.map((one) => {
        const s = getComputedStyle(one)
        return [s.outlineStyle === 'none' ? '' : s.outline, s.boxShadow, s.borderColor, s.backgroundColor, s.insetBlockStart]
      }))
      // Classes that follow the focus change with the next rendering; what fades in is looked at when it is there.
      const settled = async () => {
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
        for (const animation of document.getAnimations()) {
          if (animation.effect?.getTiming().iterations !== Infinity) animation.finish()
        }
        return look()
      }
      const lit = await settled()
      el.blur()
      const dark = await settled()
      el.focus({ focusVisible: true })
      const name = `<${el.tagName.toLowerCase()} class="${el.getAttribute('class') ?? ''}"> ${el.getAttribute('aria-label') ?? el.innerText?.slice(0, 30) ?? ''}`
      return { end: false, seen: lit !== dark, name }
    }, host)
    if (stop.end) break
    stops += 1
    if (!stop.seen) found.push(`focus unseen: ${stop.name}`)
  }
  await page.evaluate(() => window.before?.focus())
  if (stops === 0) found.push('no stop for the focus')
  return found
}
