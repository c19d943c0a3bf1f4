// The widget in a real browser against the real server: `npm run e2e` (KEFU_BIN names the program; screenshots go to
// target/screenshots). Each check prints one line; the first that fails ends the run.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { startServer } from './server.mjs'

const shots = new URL('../../target/screenshots/', import.meta.url).pathname
mkdirSync(shots, { recursive: true })
const server = await startServer()
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
const problems = []

async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(8_000)
  page.on('console', (m) => {
    if (m.type() === 'error' && !context.expectErrors) problems.push(`${path}: ${m.text()}`)
  })
  page.on('pageerror', (e) => problems.push(`${path}: ${e.message}`))
  await page.goto(server.base + path)
  return page
}
const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const seen = []
/** A picture of the state, and what an accessibility checker says about it. */
async function shot(page, name) {
  await page.screenshot({ path: `${shots}${name}.png` })
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run('#kefu-widget', {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
  }))
  for (const { id, nodes } of violations) seen.push(`${name}: ${id}: ${nodes[0].html.slice(0, 120)}`)
}
const inside = (page) => page.locator('#kefu-widget')
const text = (page, wanted) => inside(page).getByText(wanted, { exact: false }).first().waitFor({ timeout: 8_000 })
/** Runs one check; where it fails, every open page is kept as a picture. */
async function check(name, act) {
  try {
    await act()
  } catch (error) {
    const pages = browser.contexts().flatMap((context) => context.pages())
    for (const [n, page] of pages.entries()) await page.screenshot({ path: `${shots}failed-${n}.png` })
    throw error
  }
  process.stdout.write(`ok  ${name}\n`)
}
async function type(page, words) {
  const box = inside(page).locator('.composer textarea')
  await box.fill(words)
  await box.press('Enter')
}
async function fillForm(page, name, email) {
  const form = inside(page).locator('form')
  if (!(await form.count())) return
  for (const select of await form.locator('select').all()) await select.selectOption({ index: 1 })
  for (const input of await form.locator('input').all()) {
    const kind = await input.getAttribute('type')
    await input.fill(kind === 'email' ? email : kind === 'tel' ? '13800000000' : name)
  }
}
const launcher = (page) => inside(page).locator('.launcher')

try {
  const agent = await server.agent()
  let page
  await check('nothing before the first opening: no storage, no socket', async () => {
    page = await open('/demo/demo?lang=zh-CN', { locale: 'zh-CN', timezoneId: 'Asia/Shanghai' })
    await launcher(page).waitFor()
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0)
    await shot(page, 'widget-01-shop-zh')
  })
  await check('opens with pre-chat or composer', async () => {
    await launcher(page).click()
    await inside(page).locator('.panel').waitFor()
    await page.waitForTimeout(400)
    await shot(page, 'widget-02-opened-zh')
    await fillForm(page, '王小姐', 'wang@example.com')
    await inside(page).locator('form button[type=submit]').click()
  })
  await check('pinyin: choosing a candidate with Enter does not send, the next Enter sends once', async () => {
    const cdp = await page.context().newCDPSession(page)
    await inside(page).locator('.composer textarea').focus()
    await cdp.send('Input.imeSetComposition', { text: 'nihao', selectionStart: 5, selectionEnd: 5 })
    await cdp.send('Input.dispatchKeyEvent', {
      type: 'rawKeyDown', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229,
    })
    await cdp.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 })
    assert.equal(await inside(page).locator('.mine').count(), 0)
    await cdp.send('Input.insertText', { text: '你好，我的订单三天没有物流了' })
    await page.waitForTimeout(60)
    await page.keyboard.press('Enter')
    await text(page, '你好，我的订单三天没有物流了')
    assert.equal(await inside(page).locator('.mine').count(), 1)
  })
  await check('waits in the queue', async () => {
    await inside(page).locator('.card').waitFor({ timeout: 8_000 })
    await page.waitForTimeout(1_200)
    await shot(page, 'widget-03-waiting-zh')
  })
  let id
  await check('an agent takes it and both talk', async () => {
    id = await agent.takeFirst()
    await text(page, '已接入')
    agent.say(id, '您好，我是客服小林，这就帮您查。订单详情：https://shop.example/orders/88213')
    await text(page, '客服小林')
    agent.typing(id)
    await inside(page).locator('.dots').waitFor({ timeout: 4_000 })
    await shot(page, 'widget-04-typing-zh')
    await type(page, '好的，谢谢')
    await text(page, '已发送')
    agent.seen(id)
    await text(page, '已读')
    await shot(page, 'widget-05-talking-zh')
  })
  await check('a reload keeps the conversation and the unsent text', async () => {
    await inside(page).locator('.composer textarea').fill('还没发出的文字')
    await page.waitForTimeout(400)
    await page.reload()
    await launcher(page).waitFor()
    await launcher(page).click()
    await text(page, '好的，谢谢')
    assert.equal(await inside(page).locator('.composer textarea').inputValue(), '还没发出的文字')
    await inside(page).locator('.composer textarea').fill('')
  })
  await check('unread badge and preview while closed', async () => {
    await page.keyboard.press('Escape')
    agent.say(id, '查到了，今天下午会送到。')
    await inside(page).locator('.badge:not([hidden])').waitFor({ timeout: 8_000 })
    assert.equal(await inside(page).locator('.badge').getAttribute('data-n'), '1')
    await shot(page, 'widget-06-unread-zh')
    await launcher(page).click()
    assert.equal(await inside(page).locator('.badge').isVisible(), false)
  })
  await check('offline: the message waits, goes out by itself, exactly once', async () => {
    page.context().expectErrors = true
    await page.context().setOffline(true)
    await server.cut(page)
    await type(page, '断网时写的')
    await page.waitForTimeout(2_800)
    await text(page, '网络已断开')
    await shot(page, 'widget-07-offline-zh')
    await page.context().setOffline(false)
    await agent.hears(id, '断网时写的')
    await page.waitForTimeout(1_000)
    assert.equal(await inside(page).getByText('断网时写的').count(), 1)
    assert.equal(agent.count(id, '断网时写的'), 1)
    page.context().expectErrors = false
  })
  await check('closed: rating, thanks, a new one', async () => {
    agent.close(id)
    await text(page, '会话已结束')
    await inside(page).locator('.face').nth(4).click()
    await page.waitForTimeout(300)
    await shot(page, 'widget-08-rating-zh')
    await inside(page).locator('.more .primary').click()
    await text(page, '感谢您的评价')
    await shot(page, 'widget-09-rated-zh')
  })
  await page.context().close()
  await check('English, dark', async () => {
    page = await open('/demo/demo?lang=en', { locale: 'en-GB', colorScheme: 'dark', timezoneId: 'Europe/London' })
    await launcher(page).click()
    await inside(page).locator('.panel').waitFor()
    await page.waitForTimeout(400)
    await shot(page, 'widget-10-opened-en-dark')
    await inside(page).locator('form button[type=submit]').click()
    await page.waitForTimeout(200)
    await shot(page, 'widget-11-form-errors-en-dark')
    await fillForm(page, 'Alice', 'alice@example.com')
    await inside(page).locator('form button[type=submit]').click()
    await type(page, 'Hi, can I change the delivery address of order 88190?')
    const taken = await agent.takeFirst()
    agent.say(taken, 'Hello Alice, of course. Which address should it go to?')
    await text(page, 'Which address')
    await type(page, '12 Market Street, Leeds LS1 6DT. A very-long-word-'.padEnd(160, 'x'))
    await text(page, 'Sent')
    await shot(page, 'widget-12-talking-en-dark')
    await page.context().close()
  })
  await check('phone: full screen', async () => {
    page = await open('/demo/demo?lang=zh-CN', {
      locale: 'zh-CN', viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2,
    })
    await launcher(page).waitFor()
    await shot(page, 'widget-13-shop-390')
    await launcher(page).click()
    await page.waitForTimeout(500)
    const box = await inside(page).locator('.panel').boundingBox()
    assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 390, 844])
    await shot(page, 'widget-14-opened-390')
    await page.context().close()
  })
  await check('WebSocket blocked: long-poll carries it', async () => {
    const context = await browser.newContext({ locale: 'zh-CN' })
    page = await context.newPage()
    await page.routeWebSocket(/v1\/ws/, (socket) => socket.close())
    await page.goto(`${server.base}/demo/demo?lang=zh-CN`)
    await launcher(page).click()
    await inside(page).locator('.panel').waitFor()
    await page.waitForTimeout(400)
    await fillForm(page, '赵先生', 'zhao@example.com')
    await inside(page).locator('form button[type=submit]').click()
    await type(page, '长轮询也能收发')
    const taken = await agent.takeFirst()
    agent.say(taken, '收到，长轮询正常。')
    await text(page, '收到，长轮询正常。')
    await context.close()
  })
  await check('no agent online: leave a message', async () => {
    await agent.leave()
    page = await open('/demo/demo?lang=zh-CN', { locale: 'zh-CN' })
    await launcher(page).click()
    await inside(page).locator('form').waitFor()
    await page.waitForTimeout(400)
    await shot(page, 'widget-15-away-zh')
    await fillForm(page, '王小姐', 'wang@example.com')
    await inside(page).locator('form textarea').fill('请问这款帐篷还会补货吗？')
    await inside(page).locator('form button[type=submit]').click()
    await text(page, '已收到您的留言')
    await shot(page, 'widget-16-message-kept-zh')
    await page.context().close()
  })
  await check('server down: nothing appears', async () => {
    const context = await browser.newContext()
    page = await context.newPage()
    await page.route('**/v1/sites/**', (route) => route.abort())
    await page.goto(`${server.base}/demo/demo`)
    await page.waitForTimeout(800)
    assert.equal(await page.locator('#kefu-widget').count(), 0)
    await context.close()
  })
  assert.deepEqual(seen, [], 'accessibility')
  assert.deepEqual(problems, [], 'errors in the browser log')
} finally {
  await browser.close()
  await server.stop()
}
