// The widget where life is hard: several tabs, a server killed in mid-sentence, proxies that break sockets, a wrong
// clock, a slow line, a very long thread, and a page that does its worst.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './desk.mjs'
import { Agent } from './server.mjs'
import { begin, composer, inside, launcher, startBrowser, text, type } from './widget-kit.mjs'

const PASSWORD = 'a long test password 1'
const data = mkdtempSync(join(tmpdir(), 'kefu-e2e-hard-'))
const program = process.env.KEFU_BIN ?? new URL('../../target/debug/kefu', import.meta.url).pathname
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
let child
let out = ''

/** Starts the program, again in the same data directory and on the same port after the first time. */
async function serve(listen) {
  child = spawn(program, ['--data-dir', data, 'serve', '--listen', listen], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KEFU__LIMITS__MESSAGES_BURST: '100000', KEFU__LIMITS__MESSAGES_PER_SECOND: '10000' },
  })
  out = ''
  return new Promise((done, fail) => {
    const look = (chunk) => {
      out += chunk
      const url = /listening on (http:\S+?);/.exec(out)
      if (url) setTimeout(() => done(url[1]), 100)
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.on('exit', (code) => fail(new Error(`the server ended with ${code}:\n${out}`)))
  })
}

async function end(signal) {
  child.removeAllListeners('exit')
  const gone = new Promise((done) => child.on('exit', done))
  child.kill(signal)
  await gone
}

const base = await serve('127.0.0.1:0')
async function call(method, path, body, token) {
  const response = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer
}

/** A shop's page on another origin. `paths`: path → [headers, html]. */
const pages = new Map()
const shop = createServer((asked, answer) => {
  const [headers, html] = pages.get(new URL(asked.url, 'http://x').pathname) ?? [{}, '<!doctype html>']
  answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(html)
})

/** A proxy that carries plain requests; sockets are refused, or cut after `life` ms. */
let life = 0
const proxy = createServer((asked, answer) => {
  const onward = request(base + asked.url, { method: asked.method, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode, got.headers)
    got.pipe(answer)
  })
  onward.on('error', () => answer.destroy())
  asked.pipe(onward)
})
const upgrades = { count: 0 }
proxy.on('upgrade', (asked, socket) => {
  upgrades.count += 1
  if (life === 0) return socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n')
  const onward = connect(new URL(base).port, '127.0.0.1', () => {
    const lines = Object.entries(asked.headers).map(([name, value]) => `${name}: ${value}`)
    onward.write(`GET ${asked.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    onward.pipe(socket).pipe(onward)
  })
  for (const one of [socket, onward]) one.on('error', () => undefined)
  setTimeout(() => [socket, onward].forEach((one) => one.destroy()), life)
})
const listen = (one) => new Promise((done) => one.listen(0, '127.0.0.1',
  () => done(`http://127.0.0.1:${one.address().port}`)))
const [shopBase, proxyBase] = [await listen(shop), await listen(proxy)]

const found = /sign in as `(\S+)` with password `(\S+)`/.exec(out)
const { token } = await call('POST', '/v1/login', { login: found[1], password: found[2] })
const { team } = await call('POST', '/v1/teams', { name: '售后' }, token)
const site = {
  key: 'demo', name: '北麓户外', team: team.id, origins: [base, shopBase, proxyBase],
  widget: { color: '#1d5c4d', position: 'right', greeting: { 'zh-CN': '您好', en: 'Hello' }, fields: [], needs: [] },
}
const known = (await call('GET', '/v1/sites', undefined, token)).sites.find((one) => one.key === 'demo')
if (known) await call('PATCH', `/v1/sites/${known.id}`, site, token)
else await call('POST', '/v1/sites', site, token)
await call('POST', '/v1/agents', {
  login: 'lin', name: '客服小林', capacity: 50, role: 'agent', teams: [team.id], password: PASSWORD,
}, token)
const lin = await call('POST', '/v1/login', { login: 'lin', password: PASSWORD })

const { browser, check, finish, open, watch } = await startBrowser(base, 'widget-hard')
const says = (page, wanted) => inside(page).locator('.mine', { hasText: wanted })
const page1 = '/demo/demo?lang=zh-CN'
async function start(page, words) {
  await begin(page)
  await type(page, words)
  const id = await agent.takeFirst()
  await text(page, '已接入')
  return id
}
let agent = new Agent(call, lin.token)
await agent.start('busy')
// Somebody is there, and nobody is given anything: conversations wait until the test takes them.
await call('POST', '/v1/agents', {
  login: 'duty', name: '值班', capacity: 0, role: 'agent', teams: [team.id], password: PASSWORD,
}, token)
const duty = new Agent(call, (await call('POST', '/v1/login', { login: 'duty', password: PASSWORD })).token)
await duty.start('online')

try {
  await check('two tabs: one connection, shared drafts and messages, the next tab takes over', async () => {
    const sockets = { one: 0, two: 0 }
    const one = await open(page1, { locale: 'zh-CN' })
    const context = one.context()
    const count = (page, name) => page.on('websocket', () => { sockets[name] += 1 })
    count(one, 'one')
    const id = await start(one, '第一个标签页')
    const two = watch(await context.newPage(), 'tab two')
    count(two, 'two')
    await two.goto(base + page1)
    await launcher(two).click()
    await text(two, '第一个标签页')
    assert.deepEqual(sockets, { one: 1, two: 0 })
    await type(two, '第二个标签页')
    await agent.hears(id, '第二个标签页')
    await text(one, '第二个标签页')
    assert.equal(agent.count(id, '第二个标签页'), 1)
    await agent.say(id, '两边都能看到')
    await text(one, '两边都能看到')
    await text(two, '两边都能看到')
    await composer(one).evaluate((node) => node.blur())
    await composer(two).fill('写到一半')
    await one.waitForFunction(() => document.querySelector('#kefu-widget').shadowRoot
      .querySelector('.composer textarea').value === '写到一半')
    await composer(two).fill('')
    await one.close()
    await agent.say(id, '接着说')
    await text(two, '接着说')
    assert.deepEqual(sockets, { one: 1, two: 1 })
    await type(two, '我还在')
    await agent.hears(id, '我还在')
    await inside(two).locator('header .icon').last().click()
    await inside(two).locator('.panel').waitFor({ state: 'hidden' })
    await context.close()
  })

  await check('kill -9 while sending: every message arrives once and in order', async () => {
    const page = await open(page1, { locale: 'zh-CN' })
    page.context().expectErrors = true
    const id = await start(page, '开始')
    const words = ['一', '二', '三', '四', '五', '六'].map((n) => `断电第${n}句`)
    for (const [n, word] of words.entries()) {
      if (n === 2) await end('SIGKILL')
      await type(page, word)
    }
    await text(page, '正在重新连接')
    await serve(new URL(base).host)
    agent.stopped = true
    agent = new Agent(call, lin.token)
    await agent.start('busy')
    await duty.start('online')
    await agent.command({ type: 'follow', conversation: id, seq: 0 }).catch(() => undefined)
    for (const word of words) await agent.hears(id, word)
    const got = agent.events.filter((event) => words.includes(event.text))
      .sort((a, b) => a.seq - b.seq).map((event) => event.text)
    const numbers = agent.events.filter((event) => words.includes(event.text)).map((event) => event.seq)
    assert.equal(new Set(numbers).size, words.length)
    assert.deepEqual([...new Set(got)], words)
    for (const word of words) assert.equal(await says(page, word).count(), 1)
    await inside(page).locator('.foot', { hasText: '已' }).last().waitFor()
    await page.context().close()
  })

  for (const [name, ms] of [['refused', 0], ['cut after 300 ms', 300]]) {
    await check(`sockets ${name} by a proxy: long-poll carries both ways`, async () => {
      life = ms
      upgrades.count = 0
      const page = await open(`${proxyBase}/demo/demo?lang=zh-CN`, { locale: 'zh-CN' })
      page.context().expectErrors = true
      const id = await start(page, `代理 ${name}`)
      await agent.say(id, `收到 ${name}`)
      await text(page, `收到 ${name}`)
      await inside(page).locator('.icon').first().click()
      for (let n = 0; n < 20 && !(await inside(page).getByText('轮询').count()); n += 1) {
        await inside(page).getByText('检测连接').click()
        await sleep(500)
      }
      await text(page, '轮询')
      await text(page, '毫秒')
      assert.ok(upgrades.count >= 1 && upgrades.count <= 3, `${upgrades.count} upgrades`)
      await page.context().close()
    })
  }

  await check('a slow line: opens, sends and hears', async () => {
    const page = await open('/demo/demo?lang=en', { locale: 'en-GB' })
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Network.enable')
    await cdp.send('Network.emulateNetworkConditions', {
      offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 25_000,
    })
    await begin(page)
    await type(page, 'slow but sure')
    const id = await agent.takeFirst()
    await agent.hears(id, 'slow but sure')
    await agent.say(id, 'no hurry')
    await text(page, 'no hurry')
    await page.context().close()
  })

  for (const minutes of [-10, 10]) {
    await check(`a clock ${minutes} min wrong: order, states and typing are right`, async () => {
      const context = await browser.newContext({ locale: 'zh-CN' })
      await context.addInitScript((shift) => {
        const real = Date
        globalThis.Date = class extends real {
          constructor(...args) { super(...(args.length > 0 ? args : [real.now() + shift])) }
          static now() { return real.now() + shift }
        }
      }, minutes * 60_000)
      const page = watch(await context.newPage(), 'clock')
      await page.goto(base + page1)
      const id = await start(page, '几点了')
      await agent.say(id, '现在回答')
      await text(page, '现在回答')
      await type(page, '谢谢')
      await text(page, '已发送')
      const order = await inside(page).locator('.bubble').allInnerTexts()
      assert.deepEqual(order.slice(-3), ['几点了', '现在回答', '谢谢'])
      await agent.typing(id)
      await inside(page).locator('.dots').waitFor()
      await inside(page).locator('.dots').waitFor({ state: 'detached', timeout: 12_000 })
      await context.close()
    })
  }

  await check('half a minute without a connection: Retry and Delete, then it goes out by itself, once', async () => {
    const context = await browser.newContext({ locale: 'zh-CN' })
    context.expectErrors = true
    await context.addInitScript(() => {
      const now = Date.now
      globalThis.ahead = 0
      Date.now = () => now() + globalThis.ahead
    })
    const page = watch(await context.newPage(), 'cut off')
    let way = true
    const sockets = []
    await page.routeWebSocket(/v1\/ws/, (socket) => {
      if (!way) return socket.close()
      socket.connectToServer()
      sockets.push(socket)
    })
    await page.route(/v1\/(commands|events|visitors)/, (route) => (way ? route.continue() : route.abort()))
    await page.goto(base + page1)
    const id = await start(page, '在吗')
    way = false
    for (const socket of sockets) await socket.close()
    await type(page, '断线时写的')
    await type(page, '不要了')
    await text(page, '正在重新连接')
    await page.evaluate(() => { globalThis.ahead += 40_000 })
    await inside(page).locator('.foot.bad').nth(1).waitFor()
    await inside(page).locator('.foot.bad .link', { hasText: '删除' }).last().click()
    await says(page, '不要了').waitFor({ state: 'detached' })
    way = true
    await inside(page).locator('.foot.bad .link', { hasText: '重试' }).first().click()
    await agent.hears(id, '断线时写的')
    await text(page, '已发送')
    assert.equal(agent.count(id, '断线时写的'), 1)
    assert.equal(agent.count(id, '不要了'), 0)
    await context.close()
  })

  await check('5,000 messages: at most 300 rows, reading stays to the pixel, new ones are counted below', async () => {
    const page = await open(page1, { locale: 'zh-CN' })
    const id = await start(page, '很长的对话')
    await page.goto('about:blank')
    // A session may say 400 things in one go, and is cut when it hears more than it fetches: the long thread comes from
    // many, three at a time, and its end from the last.
    const speak = async (n) => {
      const hello = { type: 'hello', protocol: 1, token: lin.token, resume: [], client: 'e2e' }
      const { frames: [{ session }] } = await call('POST', '/v1/commands', { frames: [hello] }, lin.token)
      for (let m = n; m < n + 100; m += 25) {
        const frames = Array.from({ length: 25 }, (_, k) => ({
          type: 'send', conversation: id, key: `long-${m + k}`, text: `第 ${m + k + 1} 条`,
        }))
        const answer = await call('POST', '/v1/commands', { session, frames }, lin.token)
        assert.deepEqual(answer.frames.filter((frame) => frame.type !== 'ack'), [])
      }
    }
    const parts = Array.from({ length: 49 }, (_, n) => n * 100)
    await Promise.all([1, 2, 3].map(async () => { while (parts.length > 0) await speak(parts.shift()) }))
    await speak(4_900)
    await page.goto(base + page1)
    await text(page, '第 5000 条')
    const scroll = inside(page).locator('.scroll')
    const rows = () => inside(page).locator('.rows > *').count()
    assert.ok(await rows() <= 300)
    for (let n = 0; n < 12; n += 1) {
      await scroll.evaluate((node) => { node.scrollTop = 400 })
      await sleep(60)
      assert.ok(await rows() <= 300)
    }
    const seen = () => scroll.evaluate((node) => {
      const top = node.getBoundingClientRect().top
      const row = [...node.querySelectorAll('.message')].find((one) => one.getBoundingClientRect().bottom > top)
      return [row.innerText, Math.round(row.getBoundingClientRect().top - top)]
    })
    const before = await seen()
    await agent.say(id, '新消息来了')
    await text(page, '1 条新消息')
    assert.deepEqual(await seen(), before)
    await inside(page).locator('.pill').click()
    await text(page, '新消息来了')
    await page.context().close()
  })

  await check('a hostile page: strict policy, brutal styles, hotkeys, a transform, a swapped body', async () => {
    const nonce = 'n0nce'
    const policy = [`default-src 'none'`, `script-src 'nonce-${nonce}' 'strict-dynamic'`,
      `style-src 'nonce-${nonce}'`, `connect-src ${base} ${base.replace('http', 'ws')}`, `img-src ${base} blob:`,
      `require-trusted-types-for 'script'`, `trusted-types 'none'`].join('; ')
    pages.set('/hostile', [{ 'content-security-policy': policy }, `<!doctype html><html lang="zh-CN">
      <title>hostile</title>
      <style nonce="${nonce}">
        html { font-size: 62.5%; }
        * { all: unset !important; font-size: 40px !important; color: red !important; position: static !important;
          display: block !important; letter-spacing: 9px !important; visibility: hidden !important; }
        body { transform: translateX(40px) scale(.5); height: 3000px; }
      </style>
      <body><p>page</p>
      <script nonce="${nonce}">
        window.keys = 0
        for (const type of ['keydown', 'keyup', 'keypress']) {
          document.addEventListener(type, (event) => { window.keys += 1; event.preventDefault() })
        }
        Object.prototype.polluted = 'yes'
        Array.prototype.extra = () => 1
      </script>
      <script nonce="${nonce}" async src="${base}/kefu.js" data-site="demo" data-locale="zh-CN"></script>`])
    const page = await open(`${shopBase}/hostile`, { locale: 'zh-CN' })
    const box = await launcher(page).boundingBox()
    assert.deepEqual([box.x, box.y, box.width, box.height], [1280 - 24 - 56, 800 - 24 - 56, 56, 56])
    await launcher(page).click()
    await composer(page).waitFor()
    await composer(page).pressSequentially('快捷键 jk?')
    assert.equal(await page.evaluate(() => window.keys), 0)
    await composer(page).press('Enter')
    const id = await agent.takeFirst()
    await agent.say(id, '页面再坏也没关系')
    await text(page, '页面再坏也没关系')
    // A bubble that is drawn anew in this moment has no style.
    const style = await until(() => inside(page).locator('.bubble').last().evaluate((node) => {
      const { fontSize, color, letterSpacing, visibility } = getComputedStyle(node)
      return node.isConnected && { fontSize, color, letterSpacing, visibility }
    }), 'a bubble that stays')
    assert.deepEqual(style, {
      fontSize: '14px', color: 'rgb(22, 27, 38)', letterSpacing: 'normal', visibility: 'visible',
    })
    await page.evaluate(() => {
      const next = document.createElement('body')
      next.append(document.createElement('main'))
      document.documentElement.replaceChild(next, document.body)
    })
    await page.evaluate(() => document.getElementById('kefu-widget').remove())
    await agent.say(id, '换页之后')
    await text(page, '换页之后')
    const left = await page.evaluate(() => [Object.keys(window).filter((key) => /kefu/i.test(key)), document.title])
    assert.deepEqual(left, [['kefu'], 'hostile'])
    await page.context().close()
  })

  await check('commands: queued calls, events, boot twice, warnings, shutdown leaves nothing', async () => {
    pages.set('/commands', [{}, `<!doctype html><title>commands</title><script>
      window.heard = []
      window.kefu = function () { (window.kefu.q = window.kefu.q || []).push(arguments) }
      for (const name of ['ready', 'open', 'close', 'unread', 'message', 'conversation', 'error']) {
        kefu('on', name, (data) => heard.push(name))
      }
      kefu('boot', { site: 'demo', locale: 'en' })
      kefu('newMessage', 'from the page')
      </script><script async src="${base}/kefu.js"></script>`])
    const warnings = []
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = watch(await context.newPage(), 'commands')
    page.on('console', (m) => { if (m.type() === 'warning') warnings.push(m.text()) })
    await page.goto(`${shopBase}/commands`)
    await composer(page).waitFor()
    assert.equal(await composer(page).inputValue(), 'from the page')
    await composer(page).press('Enter')
    const id = await agent.takeFirst()
    await agent.say(id, 'an answer')
    await text(page, 'an answer')
    await page.evaluate(() => {
      kefu('boot', { site: 'demo' })
      kefu('dance')
      kefu('dance')
      kefu('update', { locale: 'zh-CN', theme: 'dark' })
      kefu('close')
    })
    await inside(page).locator('.panel').waitFor({ state: 'hidden' })
    assert.equal(await inside(page).getAttribute('data-theme'), 'dark')
    await agent.say(id, '还在吗')
    await inside(page).locator('.badge:not([hidden])').waitFor()
    const heard = await page.evaluate(() => window.heard)
    for (const name of ['ready', 'open', 'close', 'unread', 'message', 'conversation']) {
      assert.ok(heard.includes(name), name)
    }
    assert.equal(heard.filter((name) => name === 'message').length, 2)
    assert.deepEqual(warnings.filter((line) => line.startsWith('kefu')), ['kefu: unknown command "dance"'])
    await page.evaluate(() => kefu('shutdown'))
    assert.equal(await page.locator('#kefu-widget').count(), 0)
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0)
    await context.close()
  })

  await check('signed identity: a site that asks for it shows nothing before, then a verified conversation', async () => {
    const { id: siteId } = (await call('GET', '/v1/sites', undefined, token)).sites.find((one) => one.key === 'demo')
    await call('PATCH', `/v1/sites/${siteId}`, { widget: { identity_required: true } }, token)
    const { secret } = await call('GET', `/v1/sites/${siteId}/identity-secret`, undefined, token)
    const signature = createHmac('sha256', secret).update('u-42\nAlice\nalice@example.com').digest('hex')
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = watch(await context.newPage(), 'identity')
    await Promise.all([page.waitForResponse(/v1\/sites\/demo\/widget/), page.goto(`${shopBase}/commands`)])
    await sleep(300)
    assert.equal(await inside(page).count(), 0)
    const who = { id: 'u-42', name: 'Alice', email: 'alice@example.com', signature }
    await page.evaluate((signed) => kefu('identify', signed), who)
    await composer(page).press('Enter')
    const id = await agent.takeFirst()
    const { conversation } = await call('GET', `/v1/conversations/${id}`, undefined, token)
    assert.deepEqual([conversation.verified, conversation.visitor_name], [true, 'Alice'])
    await context.close()
    await call('PATCH', `/v1/sites/${siteId}`, { widget: { identity_required: false } }, token)
  })

  await check('a second boot after a sign-out starts afresh', async () => {
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = watch(await context.newPage(), 'second boot')
    await page.goto(`${shopBase}/commands`)
    await composer(page).press('Enter')
    await agent.takeFirst()
    await text(page, 'joined')
    await page.evaluate(() => {
      kefu('shutdown')
      kefu('boot', { site: 'demo', locale: 'en' })
      kefu('open')
    })
    await composer(page).waitFor()
    assert.equal(await inside(page).locator('.mine').count(), 0)
    await type(page, 'somebody else')
    const id = await agent.takeFirst()
    await agent.hears(id, 'somebody else')
    await context.close()
  })
  finish()
} finally {
  await browser.close()
  agent.stopped = duty.stopped = true
  await end('SIGTERM')
  for (const one of [shop, proxy]) one.closeAllConnections?.(), one.close()
  rmSync(data, { recursive: true, force: true })
}
