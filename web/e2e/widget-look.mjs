// Every state of the widget in both themes, both languages, a pseudo-language, three sizes: a picture of each, with no
// complaint of axe or the layout lint. What a test server does not do by itself comes from a hand in the socket.
import assert from 'node:assert/strict'
import { startServer } from './server.mjs'
import { composer, DEADLINE_MS, fillForm, inside, launcher, startBrowser, text, type } from './widget-kit.mjs'

const server = await startServer()
const { browser, check, finish, shot, stops, watch } = await startBrowser(server.base, 'widget-look')
const agent = await server.agent()

const LOOKS = [
  { name: 'zh-1440', language: 'zh-CN', schemes: ['light', 'dark'], viewport: { width: 1440, height: 900 } },
  { name: 'en-390', language: 'en', schemes: ['dark', 'light'], viewport: { width: 390, height: 844 } },
  { name: 'xa-390', language: 'en', schemes: ['light'], viewport: { width: 390, height: 844 }, pseudo: true },
  { name: 'xa-zoom', language: 'en', schemes: ['dark'], viewport: { width: 720, height: 450 }, zoom: 2, pseudo: true },
]
/** Where Tab goes through all there is, too. */
const STOPS = ['01-form', '03-empty', '06-failed', '09-menu', '13-rating', '15-leave-message']

const ACCENTS = { a: 'á', e: 'é', i: 'í', o: 'ö', u: 'ü', A: 'Á', E: 'É', I: 'Í', O: 'Ö', U: 'Ü' }
const accent = (words) => words.replace(/[aeiou]/gi, (letter) => ACCENTS[letter])

/** English with accents, 40 % longer: what does not fit now will not fit in German. Holes and bars stay. */
function stretch(line) {
  return line.split(/(\{\}|\|)/).map((part) => (/^(\{\}|\|)?$/.test(part) ? part
    : accent(part) + '~'.repeat(Math.ceil(part.length * 0.4)))).join('')
}

/** Refuses what the text asks to be refused, and lets the test tell the page anything. */
async function hand(page) {
  let say
  let hurried = false
  await page.routeWebSocket(/v1\/ws/, (socket) => {
    const onward = socket.connectToServer()
    say = (frame) => socket.send(JSON.stringify(frame))
    socket.onMessage((data) => {
      const frame = JSON.parse(data)
      const refuse = (code, more) => say({ type: 'error', key: frame.key, code, message: 'a forbidden word', ...more })
      if (frame.type === 'send' && /BLOCKED/.test(frame.text)) return refuse('blocked')
      if (frame.type === 'send' && /FAST/.test(frame.text) && !hurried) {
        hurried = true
        return refuse('rate_limited', { retry_after_ms: 6_000 })
      }
      if (frame.type === 'send' && /LONG/.test(frame.text)) return refuse('too_large')
      onward.send(data)
    })
  })
  return (frame) => say(frame)
}

try {
  for (const { name, language, schemes, viewport, zoom = 1, pseudo = false } of LOOKS) {
    await check(`${name}: every state`, async () => {
      const context = await browser.newContext({
        viewport, deviceScaleFactor: zoom, colorScheme: schemes[0], locale: language, timezoneId: 'Asia/Shanghai',
      })
      if (pseudo) {
        await context.route('**/assets/widget-en-*.js', async (route) => {
          const answer = await route.fetch()
          const body = (await answer.text()).replace(/(?<=`)Close\n[^`]*/, (list) =>
            list.split('\n').map(stretch).join('\n'))
          await route.fulfill({ response: answer, body })
        })
      }
      const page = watch(await context.newPage(), name)
      const tell = await hand(page)
      const look = async (state) => {
        for (const scheme of schemes) {
          await page.emulateMedia({ colorScheme: scheme })
          await shot(page, `widget-look-${name}-${scheme}-${state}`)
        }
        if (schemes[1]) await page.emulateMedia({ colorScheme: schemes[0] })
        if (STOPS.includes(state)) await stops(page, `${name} ${state}`)
      }
      const word = (zh, en) => (language === 'en' ? (pseudo ? accent(en) : en) : zh)
      await page.goto(`${server.base}/demo/demo?lang=${language}`)
      await launcher(page).click()
      await inside(page).locator('form').waitFor()
      await page.waitForTimeout(300)
      await look('01-form')
      await inside(page).locator('form button[type=submit]').click()
      await look('02-form-errors')
      await fillForm(page, 'Alice Wang', 'alice@example.com')
      await inside(page).locator('form button[type=submit]').click()
      await composer(page).waitFor()
      await look('03-empty')
      await type(page, word('我的订单三天没有物流了，帮我看看', 'My order has not moved for three days'))
      await inside(page).locator('.card').waitFor()
      await page.waitForTimeout(200)
      const current = await page.evaluate(() => JSON.parse(localStorage.getItem('kefu:demo:conversation')))
      await tell({ type: 'position', conversation: current, ahead: 2, wait_ms: 130_000 })
      await text(page, word('约 2 分钟', 'about'))
      await look('04-waiting')
      const id = await agent.takeFirst()
      assert.equal(id, current)
      const link = 'https://shop.example/orders/88213?from=widget&long=yes'
      await agent.say(id, word(`您好，这就帮您查：${link}`, `Hello, let me look: ${link}`))
      await agent.say(id, 'x'.repeat(140))
      await inside(page).locator('.bubble a').waitFor()
      await type(page, word('谢谢', 'Thank you'))
      await inside(page).locator('.foot', { hasText: word('已发送', 'Sent') }).waitFor()
      await agent.typing(id)
      await inside(page).locator('.dots').waitFor()
      await look('05-talking')
      await agent.seen(id)
      await inside(page).locator('.foot', { hasText: word('已读', 'Read').split(' ')[0] }).waitFor()
      await type(page, 'LONG')
      await inside(page).locator('.foot.bad').waitFor()
      await look('06-failed')
      await inside(page).locator('.foot.bad .link').last().click()
      await inside(page).locator('.foot.bad').waitFor({ state: 'detached' })
      await type(page, 'BLOCKED')
      await inside(page).locator('.notice:not([hidden])').waitFor()
      assert.equal(await composer(page).inputValue(), 'BLOCKED')
      await look('07-blocked')
      await composer(page).fill('')
      await type(page, 'FAST')
      await inside(page).locator('.mine .foot', { hasText: /\b[3456]\b/ }).waitFor()
      await look('08-too-fast')
      await inside(page).locator('header .icon').first().click()
      await inside(page).locator('.menu button').last().click()
      await inside(page).locator('.menu p span').nth(2).waitFor()
      await look('09-menu')
      await page.keyboard.press('Escape')
      await context.setOffline(true)
      context.expectErrors = true
      await inside(page).locator('.banner:not([hidden])').waitFor()
      await look('10-offline')
      await context.setOffline(false)
      await inside(page).locator('.banner').waitFor({ state: 'hidden', timeout: DEADLINE_MS })
      context.expectErrors = false
      await inside(page).locator('header .icon').last().click()
      await agent.say(id, word('查到了，今天下午送到。', 'Found it: it arrives this afternoon.'))
      await inside(page).locator('.badge:not([hidden])').waitFor()
      await look('11-unread')
      await launcher(page).click()
      await inside(page).locator('.new').waitFor()
      await page.waitForTimeout(300)
      await look('12-new-line')
      await agent.close(id)
      await inside(page).locator('.faces').waitFor()
      await inside(page).locator('.face').nth(3).click()
      await page.waitForTimeout(150)
      await look('13-rating')
      await inside(page).locator('.more .main').click()
      await text(page, word('感谢您的评价', 'Thank you for your rating'))
      await look('14-rated')
      await inside(page).locator('.alt').click()
      await type(page, word('还有一个问题', 'One more thing'))
      await inside(page).locator('.card').waitFor()
      await inside(page).locator('.card .alt').click()
      await inside(page).locator('form textarea').fill(word('请联系我', 'Please call me'))
      await look('15-leave-message')
      await inside(page).locator('form button[type=submit]').click()
      await text(page, word('已收到您的留言', 'Message received'))
      await look('16-kept')
      await inside(page).locator('.done .quiet').click()
      tell({ type: 'bye', code: 'protocol' })
      await inside(page).locator('.line[role=alert]').waitFor()
      await look('17-reload')
      await context.close()
      await agent.takeFirst().catch(() => undefined)
    })
  }
  finish()
} finally {
  await browser.close()
  await server.stop()
}
