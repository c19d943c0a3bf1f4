// How the console's pages look: every page and state in two languages, two themes and four widths, with pictures, an
// accessibility checker and a layout lint; the third language is English made longer. How they behave is in console.mjs.
// KEFU_TOUR=zh,en,xa picks languages.
import assert from 'node:assert/strict'
import { checker, shots, startBrowser } from './browser.mjs'
import { label, picture, signIn, startDesk, until } from './desk.mjs'
import { accessibility, focus, layout } from './lint.mjs'

const WIDTHS = [[1440, 900], [1024, 768], [720, 450], [390, 844]]
const widget = {
  color: '#1d5c4d', position: 'right', greeting: label('您好，请问有什么可以帮您？', 'Hello, how can we help?'),
  fields: [
    { name: 'name', kind: 'text', label: label('怎么称呼您', 'Your name'), required: true, options: [] },
    {
      name: 'topic', kind: 'select', label: label('咨询内容', 'Topic'), required: false,
      options: [{ value: 'order', label: label('订单与物流', 'Orders and delivery') }],
    },
  ],
  needs: [],
}
const desk = await startDesk(widget)
const { browser, problems, watch } = await startBrowser(desk.base)
const check = checker(browser, 'console-look', 4)
const faults = []
const shot = (page, name) => page.screenshot({ path: `${shots}console-${name}.png` })
const row = (page, name) => page.locator('.row', { hasText: name })
const bubble = (page, text) => page.locator('.bubble', { hasText: text })

async function people() {
  const lin = await desk.hire('lin', '林悦', { capacity: 100, skills: [{ name: 'refund', level: 4 }] })
  const english = [{ name: '退换货', level: 5 }, { name: 'english', level: 3 }]
  await desk.hire('mei', 'Mei Anderson-Wu', { capacity: 0, skills: english })
  await desk.hire('boss', '赵主管', { role: 'admin', capacity: 100 })
  const clerk = await desk.clerk('lin', 'online')
  const comes = async (name, ...said) => {
    const visitor = desk.visitor({ name })
    await visitor.opens(said[0])
    for (const text of said.slice(1)) await visitor.says(text)
    await until(async () => (await desk.summary(visitor.conversation)).agent === lin.id, `${name} assigned`)
    return visitor
  }
  const wang = await comes('王小姐', '你好', '上周买的冲锋衣，袖口开线了')
  await clerk.say(wang.conversation, '您好，请发一张照片，我马上为您处理。')
  await wang.attaches('袖口.png', picture(900, 640), '就是这里')
  await wang.attaches('订单 2026-11 export.csv', Buffer.from('order,amount\n1,299\n'))
  await clerk.say(wang.conversation, '已收到，可以换新，运费由我们承担。')
  await comes('李娜', '发票可以重开吗？')
  const hard = await comes('Maximiliane-Alexandrina von Hohenzollern-Sigmaringen zu Württemberg und Teck',
    'https://example.com/'.padEnd(300, 'x'))
  await hard.attaches(`${'a-very-long-name-without-an-end-'.repeat(5)}.txt`, Buffer.from('long'))
  await hard.attaches('tall.png', picture(40, 900))
  await hard.says('مرحبا، أين طلبي؟')
  await hard.says('😀😀😀')
  const done = await comes('Alice Chen', 'Hi, where is my order?')
  await clerk.say(done.conversation, 'shut up')
  await clerk.close(done.conversation)
  await done.rates(2, 'Rude.')
  await clerk.command({ type: 'status', status: 'busy' })
  await desk.visitor({ name: '排队的人' }).opens('还要等多久？')
  return clerk
}

/** Whatever moves, except for ever, has arrived. */
const still = (page) => page.evaluate(async () => {
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  await frames()
  const moving = document.getAnimations().filter((one) => one.effect?.getTiming().iterations !== Infinity)
  await Promise.all(moving.map((one) => one.finished.catch(() => 0)))
  await frames()
})
async function inspect(page, name, { stops = false, wide = true } = {}) {
  const tell = (list) => { for (const one of list) faults.push(`${name}: ${one}`) }
  for (const theme of ['light', 'dark']) {
    await page.evaluate((dark) => document.documentElement.classList.toggle('dark', dark), theme === 'dark')
    await still(page)
    tell((await accessibility(page)).map((one) => `${theme} ${one}`))
    await shot(page, `${name}-${theme}`)
    if (stops && theme === 'light') tell(await focus(page))
  }
  await page.evaluate(() => document.documentElement.classList.remove('dark'))
  if (wide) await narrow(page, name, true)
}
async function narrow(page, name, pictures) {
  for (const [width, height] of WIDTHS) {
    await page.setViewportSize({ width, height })
    await still(page)
    for (const one of await layout(page)) faults.push(`${name} at ${width}: ${one}`)
    if (pictures && (width === 1024 || width === 390)) await shot(page, `${name}-${width}`)
  }
  await page.setViewportSize({ width: WIDTHS[0][0], height: WIDTHS[0][1] })
}
const accented = { a: 'á', e: 'é', i: 'í', o: 'ó', u: 'ú', A: 'Á', E: 'É', O: 'Ó', U: 'Ú', c: 'ç', n: 'ñ', y: 'ý' }
function pseudo(tree) {
  if (typeof tree !== 'string') return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, pseudo(value)]))
  const text = tree.split(/(\{\w+\})/).map((part) => (part.startsWith('{') ? part : part.replace(/[a-zA-Z]/g, (c) => accented[c] ?? c))).join('')
  return `${text}${'·'.repeat(Math.ceil(tree.length * 0.4))}`
}
/** As the agent in the middle of work: attachments, composer, menus of the composer, a question before closing. */
async function answering(face, dialog, page) {
  await signIn(page, 'lin')
  await row(page, '王小姐').click()
  await page.locator('.item .image img').waitFor()
  await page.locator('.composer input[type=file]').setInputFiles([
    { name: '换货单.png', mimeType: 'image/png', buffer: picture(200, 200) },
    { name: 'video.mp4', mimeType: 'video/mp4', buffer: Buffer.from('x') },
  ])
  await page.locator('.files img').waitFor()
  await face('answer', { stops: true })
  await page.locator('.files .icon-button').last().click()
  await page.locator('.files .icon-button').last().click()
  await page.locator('.emoji > button').click()
  await page.locator('.sheet').waitFor()
  await face('emoji', { wide: false })
  await page.locator('.sheet .cell').first().press('Escape')
  await page.locator('.composer .modes button').last().click()
  await page.locator('.composer.note').waitFor()
  await face('note', { wide: false })
  await page.locator('.composer .modes button').first().click()
  await row(page, 'Maximiliane').click()
  await page.locator('.item .file').waitFor()
  await face('hard-files')
  await page.keyboard.press('Escape')
  await page.keyboard.press('[')
  await page.locator('.pane.narrow').waitFor()
  await face('narrow', { wide: false })
  await page.keyboard.press('[')
  await page.locator('.pane.narrow').waitFor({ state: 'detached' })
  await page.keyboard.press('Escape')
  await dialog('closing', () => page.keyboard.press('e'))
}
async function tour(language) {
  const zh = language === 'zh'
  const xa = language === 'xa'
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: zh ? 'zh-CN' : 'en-GB', reducedMotion: 'reduce' })
  const page = await watch(await context.newPage())
  if (xa) {
    await page.route('**/console.en-*.js', async (route) => {
      const body = await (await route.fetch()).text()
      const words = await import(`data:text/javascript,${encodeURIComponent(body)}`)
      await route.fulfill({ contentType: 'text/javascript', body: `export default ${JSON.stringify(pseudo(words.default))}` })
    })
  }
  const face = async (name, options = {}) => {
    // Else plain English would be looked at, and pass.
    if (xa) assert.match(await page.locator('body').innerText(), /[áéíóú]/, `${name} in the longer language`)
    if (!xa) await inspect(page, `${name}-${language}`, options)
    else if (options.wide !== false) await narrow(page, `${name}-xa`, name === 'desk')
  }
  const overlay = page.locator('.el-overlay').filter({ visible: true }).first()
  const dialog = async (name, opens) => {
    await opens()
    await overlay.waitFor()
    await face(name, { wide: false, stops: true })
    await narrow(page, `${name}-${language}`, false)
    for (let n = 0; n < 3 && await overlay.isVisible(); n += 1) await page.keyboard.press('Escape')
    await overlay.waitFor({ state: 'hidden' })
  }
  await page.goto(`${desk.base}/console/`)
  await page.locator('input[name=login]').waitFor()
  await face('sign-in', { stops: true })
  await answering(face, dialog, page)
  await context.clearCookies()
  await page.evaluate(() => localStorage.clear())
  await page.goto(`${desk.base}/console/`)
  await signIn(page, 'boss')
  await page.locator('.rows .blank').waitFor()
  await face('empty')
  await page.locator('.tab').nth(2).click()
  await row(page, 'Alice Chen').click()
  await page.locator('.side .report').waitFor()
  await face('desk', { stops: true })
  await row(page, 'Maximiliane').click()
  await page.locator('.pane h2', { hasText: 'Maximiliane' }).waitFor()
  await bubble(page, '😀').waitFor()
  await page.locator('.side .one.chosen').waitFor()
  await face('hard')
  await page.keyboard.press('Escape')
  await dialog('transfer', () => page.keyboard.press('t'))
  await dialog('shortcuts', () => page.keyboard.press('?'))
  await page.locator('.rail .me').click()
  await page.getByRole('menu').waitFor()
  await face('menu', { wide: false })
  await page.keyboard.press('Escape')
  await page.getByRole('menu').waitFor({ state: 'hidden' })
  // A menu is placed where it was opened: on a phone it is opened there.
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto(`${desk.base}/console/conversations`)
  await page.locator('.rail .me').click()
  await page.getByRole('menu').waitFor()
  await still(page)
  for (const one of await layout(page)) faults.push(`menu-${language} at 390: ${one}`)
  await shot(page, `menu-${language}-390`)
  await page.keyboard.press('Escape')
  await page.setViewportSize({ width: 1440, height: 900 })
  const admin = async (name, ready) => {
    await page.locator(`.rail a[href$="/${name}"]`).click()
    await page.locator(ready).first().waitFor()
    await face(name, { stops: true })
  }
  await admin('agents', '.table tbody tr')
  await dialog('agent', () => page.locator('.acts .icon-button').first().click())
  await dialog('disable', () => page.locator('.acts .el-button').first().click())
  await admin('teams', '.table tbody tr')
  await admin('sites', '.table tbody tr')
  await dialog('site', () => page.locator('.acts .icon-button').first().click())
  await dialog('snippet', () => page.locator('.acts .el-button').first().click())
  await admin('plugins', '.line .active')
  await dialog('upload', () => page.locator('.page header .el-button--primary').click())
  await page.goto(`${desk.base}/console/nowhere`)
  await page.locator('.blank').waitFor()
  await face('missing')
  context.expectErrors = true
  for (const path of ['agents', 'teams', 'sites', 'plugins']) {
    await page.route(`**/v1/${path}`, (route) => route.abort())
    await page.goto(`${desk.base}/console/${path}`)
    await page.locator('.blank[role=alert]').waitFor()
    await page.unroute(`**/v1/${path}`)
    await face(`failed-${path}`, { wide: path === 'agents' })
    await page.route(`**/v1/${path}`, () => undefined)
    await page.goto(`${desk.base}/console/${path}`)
    await page.locator('.card.bones').waitFor()
    await face(`loading-${path}`, { wide: path === 'agents' })
    await page.unroute(`**/v1/${path}`)
    // There is always an agent: whoever looks.
    if (path === 'agents') continue
    await page.route(`**/v1/${path}`, (route) => route.fulfill({ json: { [path === 'plugins' ? 'generations' : path]: [], points: {} } }))
    await page.goto(`${desk.base}/console/${path}`)
    await page.locator(path === 'plugins' ? '.page section .meta' : '.page .blank').first().waitFor()
    await face(`none-${path}`, { wide: path === 'teams' })
    await page.unroute(`**/v1/${path}`)
  }
  await page.route('**/v1/conversations?**', (route) => route.abort())
  await page.routeWebSocket(/\/v1\/ws/, (socket) => socket.close())
  await page.route('**/v1/commands', (route) => route.abort())
  await page.goto(`${desk.base}/console/conversations`)
  await page.locator('.rows .blank[role=alert]').waitFor()
  await face('list-failed')
  await page.route('**/v1/conversations?**', () => undefined)
  await page.goto(`${desk.base}/console/conversations`)
  await page.locator('.rows .bones').waitFor()
  await face('loading')
  await context.close()
}

try {
  let clerk
  await check('people of all kinds write', async () => { clerk = await people() })
  const languages = (process.env.KEFU_TOUR ?? 'zh,en,xa').split(',')
  for (const language of languages) await check(`every page: ${language}`, () => tour(language))
  clerk.stopped = true
  const unique = [...new Set(faults)]
  for (const one of unique) process.stdout.write(`not ok  ${one}\n`)
  assert.deepEqual(check.failed, [])
  assert.equal(unique.length, 0, 'accessibility and layout')
  assert.deepEqual(problems, [], 'errors in the browser log')
} finally {
  await browser.close()
  await desk.stop()
}
