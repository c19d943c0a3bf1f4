// The widget in a real browser against the real server: `npm run e2e` (KEFU_BIN names the program; screenshots go to
// target/screenshots). Each check prints one line; the first that fails ends the run.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { startServer } from './server.mjs'
import { composer, DEADLINE_MS, fillForm, inside, launcher, startBrowser, text, type } from './widget-kit.mjs'

const server = await startServer()
const { browser, check, finish, open, shot, watch } = await startBrowser(server.base, 'widget')

try {
  const agent = await server.agent()
  let page
  const sockets = []
  await check('nothing before the first opening: no storage, no cookie, no socket, one question', async () => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai',
    })
    page = watch(await context.newPage(), 'first')
    const asked = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await page.goto(`${server.base}/demo/demo?lang=zh-CN`)
    await launcher(page).waitFor()
    await page.waitForTimeout(500)
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0)
    assert.deepEqual(await page.evaluate(() => indexedDB.databases()), [])
    assert.deepEqual(await context.cookies(), [])
    assert.deepEqual(sockets, [])
    assert.deepEqual(asked.filter((path) => path.startsWith('/v1/')), ['/v1/sites/demo/widget'])
    await shot(page, 'widget-01-shop-zh')
  })
  await check('opens with pre-chat or composer', async () => {
    await launcher(page).click()
    await inside(page).locator('.panel').waitFor()
    await page.waitForTimeout(400)
    await shot(page, 'widget-02-opened-zh')
    await fillForm(page, '王小姐', 'wang@example.com')
    await inside(page).locator('form button[type=submit]').click()
    await composer(page).waitFor()
    assert.equal(sockets.length, 1)
  })
  await check('pinyin: choosing a candidate with Enter does not send, the next Enter sends once', async () => {
    const cdp = await page.context().newCDPSession(page)
    await inside(page).locator('.composer textarea').focus()
    await cdp.send('Input.imeSetComposition', { text: 'nihao', selectionStart: 5, selectionEnd: 5 })
    await cdp.send('Input.dispatchKeyEvent', {
      type: 'rawKeyDown', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229,
    })
    await cdp.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 })
    await cdp.send('Input.insertText', { text: '你好，我的订单三天没有物流了' })
    await page.waitForTimeout(60)
    await page.keyboard.press('Enter')
    await text(page, '你好，我的订单三天没有物流了')
    assert.deepEqual(await inside(page).locator('.mine .bubble').allInnerTexts(), ['你好，我的订单三天没有物流了'])
  })
  await check('waits in the queue', async () => {
    await inside(page).locator('.card').waitFor({ timeout: DEADLINE_MS })
    await page.waitForTimeout(1_200)
    await shot(page, 'widget-03-waiting-zh')
  })
  let id
  await check('an agent takes it and both talk', async () => {
    id = await agent.takeFirst()
    // Whatever was sent before it is there when it is.
    await agent.hears(id, '你好，我的订单三天没有物流了')
    const said = agent.events.filter((e) => e.conversation === id && e.type === 'message').map((e) => e.text)
    assert.deepEqual(said, ['你好，我的订单三天没有物流了'])
    await text(page, '已接入')
    agent.say(id, '您好，我是客服小林，这就帮您查。订单详情：https://shop.example/orders/88213')
    // Typing ends with the next message: this one has to be here first.
    await text(page, '您好，我是客服小林')
    agent.typing(id)
    await inside(page).locator('.dots').waitFor({ timeout: DEADLINE_MS })
    await shot(page, 'widget-04-typing-zh')
    await type(page, '好的，谢谢')
    await text(page, '已发送')
    agent.seen(id)
    await text(page, '已读')
    await shot(page, 'widget-05-talking-zh')
  })
  await check('all of it travelled packed, within 20 KB', async () => {
    const travelled = await page.evaluate(() => performance.getEntriesByType('resource')
      .filter(({ name }) => /\/kefu\.js|\/assets\/widget-/.test(name))
      .map(({ name, encodedBodySize, decodedBodySize }) => ({ name, encodedBodySize, decodedBodySize })))
    assert.equal(travelled.length, 3, JSON.stringify(travelled))
    for (const file of travelled) assert.ok(file.encodedBodySize < file.decodedBodySize, JSON.stringify(file))
    const bytes = travelled.reduce((sum, file) => sum + file.encodedBodySize, 0)
    assert.ok(bytes > 0 && bytes <= 20 * 1024, `${bytes} bytes`)
  })
  await check('a reload keeps the conversation and the unsent text', async () => {
    await inside(page).locator('.composer textarea').fill('还没发出的文字')
    await page.waitForTimeout(400)
    await page.reload()
    await text(page, '好的，谢谢')
    assert.equal(await inside(page).locator('.composer textarea').inputValue(), '还没发出的文字')
    await inside(page).locator('.composer textarea').fill('')
  })
  await check('unread badge and preview while closed', async () => {
    await page.keyboard.press('Escape')
    agent.say(id, '查到了，今天下午会送到。')
    await inside(page).locator('.badge:not([hidden])').waitFor({ timeout: DEADLINE_MS })
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
    assert.equal(agent.count(id, '断网时写的'), 0)
    await page.context().setOffline(false)
    await agent.hears(id, '断网时写的')
    await page.waitForTimeout(1_000)
    assert.equal(await inside(page).getByText('断网时写的').count(), 1)
    assert.equal(agent.count(id, '断网时写的'), 1)
    page.context().expectErrors = false
  })
  await check('a tab closed while offline: its message goes out from the next page, exactly once', async () => {
    const context = page.context()
    context.expectErrors = true
    await context.setOffline(true)
    await server.cut(page)
    await type(page, '关掉页面前写的')
    await inside(page).locator('.mine .bubble', { hasText: '关掉页面前写的' }).waitFor()
    await page.close()
    await context.setOffline(false)
    assert.equal(agent.count(id, '关掉页面前写的'), 0)
    page = watch(await context.newPage(), 'next')
    await page.goto(`${server.base}/demo/demo?lang=zh-CN`)
    await agent.hears(id, '关掉页面前写的')
    await launcher(page).click()
    await text(page, '关掉页面前写的')
    await text(page, '已发送')
    assert.equal(agent.count(id, '关掉页面前写的'), 1)
    context.expectErrors = false
  })
  await check('closed: rating, thanks, a change of mind', async () => {
    agent.close(id)
    await text(page, '会话已结束')
    await inside(page).locator('.face').nth(4).click()
    await page.waitForTimeout(300)
    await shot(page, 'widget-08-rating-zh')
    await inside(page).locator('.more .main').click()
    await text(page, '感谢您的评价')
    await shot(page, 'widget-09-rated-zh')
    const score = async () => (await agent.call('GET', `/v1/conversations/${id}`, undefined, agent.token)).conversation.rating
    assert.equal(await score(), 5)
    await inside(page).locator('.line .link', { hasText: '修改' }).click()
    assert.equal(await inside(page).locator('.face').nth(4).getAttribute('aria-pressed'), 'true')
    await inside(page).locator('.face').nth(3).click()
    await inside(page).locator('.more .main').click()
    await text(page, '感谢您的评价')
    for (let n = 0; n < 50 && await score() !== 4; n += 1) await page.waitForTimeout(100)
    assert.equal(await score(), 4)
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
    await agent.hears(taken, 'Hi, can I change the delivery address of order 88190?')
    agent.say(taken, 'Hello Alice, of course. Which address should it go to?')
    await text(page, 'Which address')
    await type(page, '12 Market Street, Leeds LS1 6DT. A very-long-word-'.padEnd(160, 'x'))
    await text(page, 'Sent')
    await shot(page, 'widget-12-talking-en-dark')
    const menu = async (words) => {
      await inside(page).locator('header .icon').first().click()
      await inside(page).locator('.menu').getByText(words).click()
    }
    const [file] = await Promise.all([page.waitForEvent('download'), menu('Save transcript')])
    const saved = await readFile(await file.path(), 'utf8')
    assert.match(saved, /You: Hi, can I change.*\n.*: Hello Alice/)
    await menu('Turn sound off')
    await menu('切换到中文')
    await text(page, '已发送')
    await page.reload()
    await text(page, '已发送')
    await menu('开启提示音')
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
  const shop = (script) => `<!doctype html><title>shop</title><script async data-site="demo" src="${script}/kefu.js"></script>
    <h1>Tents</h1><button onclick="this.textContent = 'bought'">buy</button>`
  /** The host's own page as the host made it, which still works. */
  const untouched = async () => {
    await page.locator('button').click()
    assert.equal(await page.locator('button').innerText(), 'bought')
    assert.deepEqual(await page.evaluate(() => [
      [...document.documentElement.children].map((el) => el.tagName), [...document.body.children].map((el) => el.tagName),
      document.title, document.body.getAttribute('style'), localStorage.length + sessionStorage.length,
    ]), [['HEAD', 'BODY'], ['H1', 'BUTTON'], 'shop', null, 0])
  }
  await check('server away: the page of the host is whole, its script is refused and nothing appears', async () => {
    const closed = await new Promise((done) => {
      const one = createServer().listen(0, '127.0.0.1', () => {
        const { port } = one.address()
        one.close(() => done(`http://127.0.0.1:${port}`))
      })
    })
    const context = await browser.newContext()
    page = await context.newPage()
    const thrown = []
    page.on('pageerror', (error) => thrown.push(error.message))
    await page.route('http://shop.example/', (route) => route.fulfill({ contentType: 'text/html', body: shop(closed) }))
    const refused = page.waitForEvent('requestfailed')
    await page.goto('http://shop.example/')
    assert.equal((await refused).url(), `${closed}/kefu.js`)
    await untouched()
    assert.deepEqual(thrown, [])
    await context.close()
  })
  await check('server away once the script is there: nothing appears; it does when asked again', async () => {
    const context = await browser.newContext({ locale: 'zh-CN' })
    page = await context.newPage()
    const thrown = []
    page.on('pageerror', (error) => thrown.push(error.message))
    const place = `${server.base}/shop`
    await page.route(place, (route) => route.fulfill({ contentType: 'text/html', body: shop(server.base) }))
    const away = /\/v1\/sites\/demo\/widget/
    await page.route(away, (route) => route.abort())
    const refused = page.waitForEvent('requestfailed', (request) => away.test(request.url()))
    await page.goto(place)
    await refused
    await page.evaluate(() => window.kefu('open'))
    await page.waitForTimeout(300)
    await untouched()
    assert.deepEqual(thrown, [])
    await page.unroute(away)
    await page.evaluate(() => {
      window.kefu('shutdown')
      window.kefu('boot', { site: 'demo' })
    })
    await launcher(page).waitFor()
    await context.close()
  })
  finish()
} finally {
  await browser.close()
  await server.stop()
}
