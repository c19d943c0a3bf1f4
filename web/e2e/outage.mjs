// What people see when a server that kefu stands on goes away, and when it is back: `node e2e/outage.mjs`. The rows are in
// PostgreSQL and the stream in Redis, those that KEFU_TEST_POSTGRES and KEFU_TEST_REDIS name, each behind a wire to cut.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { checker, shots, startBrowser } from './browser.mjs'
import { label, setStatus, signIn, startDesk, until } from './desk.mjs'
import { accessibility, layout } from './lint.mjs'

const { KEFU_TEST_POSTGRES: postgres, KEFU_TEST_REDIS: redis } = process.env
if (!postgres || !redis) {
  process.stdout.write('skipped  outage: KEFU_TEST_POSTGRES and KEFU_TEST_REDIS name no servers\n')
  process.exit(0)
}
const NAME = `kefu_outage_${process.pid}`
const OUT = '.outages .bar.out'
const sql = (statement) => execFileSync('psql', ['-XAtq', '-d', postgres, '-c', statement])

/** A server as kefu reaches it: through us, for as long as the wire is whole. */
async function wired(url) {
  const target = new URL(url)
  const [host, port] = [target.hostname, Number(target.port)]
  const lines = new Set()
  let whole = true
  const wire = createServer((near) => {
    if (!whole) return void near.destroy()
    const far = connect(port, host)
    for (const [one, other] of [[near, far], [far, near]]) {
      lines.add(one)
      one.setNoDelay(true)
      one.pipe(other)
      one.on('error', () => other.destroy()).on('close', () => { lines.delete(one); other.destroy() })
    }
  })
  await new Promise((done) => wire.listen(0, '127.0.0.1', done))
  target.port = wire.address().port
  return {
    url: target.href,
    cut: () => {
      whole = false
      for (const line of lines) line.destroy()
    },
    mend: () => { whole = true },
    close: () => wire.close(),
  }
}

const rows = await wired(new URL(NAME, postgres).href)
const stream = await wired(redis)
sql(`CREATE DATABASE ${NAME}`)
let desk
let browser
try {
  desk = await startDesk({
    color: '#1d5c4d', position: 'right', greeting: label('您好', 'Hello'), fields: [], needs: [],
  }, { KEFU__STORAGE__URL: rows.url, KEFU__REDIS__URL: stream.url.replace(/\/$/, ''), KEFU__REDIS__PREFIX: NAME })
  const started = await startBrowser(desk.base)
  browser = started.browser
  const { problems, watch } = started
  const check = checker(browser, 'outage')
  const lin = await desk.hire('lin', '林悦', { capacity: 100 })
  await desk.hire('boss', '赵主管', { role: 'supervisor', capacity: 0, teams: [desk.team.id] })
  const faults = []

  const enter = async (login, locale) => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale, reducedMotion: 'reduce' })
    // What asks for what is away is refused: the browser's log says so.
    context.expectErrors = true
    const page = await watch(await context.newPage())
    await page.goto(`${desk.base}/console/`)
    await signIn(page, login)
    return page
  }
  /** Pictures in both themes and on a phone, each held against the rules for pages. */
  const look = async (page, name) => {
    for (const theme of ['light', 'dark']) {
      await page.evaluate((dark) => document.documentElement.classList.toggle('dark', dark), theme === 'dark')
      await page.waitForTimeout(200)
      for (const one of await accessibility(page)) faults.push(`${name} ${theme}: ${one}`)
      await page.screenshot({ path: `${shots}outage-${name}-${theme}.png` })
    }
    await page.evaluate(() => document.documentElement.classList.remove('dark'))
    for (const [width, height] of [[1024, 768], [390, 844], [1440, 900]]) {
      await page.setViewportSize({ width, height })
      await page.waitForTimeout(200)
      for (const one of await layout(page)) faults.push(`${name} at ${width}: ${one}`)
      if (width === 390) await page.screenshot({ path: `${shots}outage-${name}-390.png` })
    }
  }

  const agent = await enter('lin', 'zh-CN')
  const boss = await enter('boss', 'zh-CN')
  const english = await enter('boss', 'en-GB')
  await setStatus(agent, '在线')
  const wang = desk.visitor({ name: '王小姐' })
  await wang.opens('你好，订单三天没有物流了')
  // Whoever comes anew has to be looked up; the visitor stays.
  const hello = { type: 'hello', protocol: 1, token: wang.token, resume: [], client: 'e2e' }
  const welcomed = await desk.call('POST', '/v1/commands', { frames: [hello] }, wang.token)
  const { session } = welcomed.frames.find((frame) => frame.type === 'welcome')
  const visitorSays = (text) => desk.call('POST', '/v1/commands', {
    session, frames: [{ type: 'send', key: wang.key(), conversation: wang.conversation, text }],
  }, wang.token)
  await until(async () => (await desk.summary(wang.conversation)).agent === lin.id, 'assigned')
  await agent.locator('.row', { hasText: '王小姐' }).click()

  await check('while all is well, nobody is told of anything', async () => {
    await boss.locator('.rows').waitFor()
    assert.equal(await boss.locator('.outages').count(), 0)
  })
  await check('PostgreSQL goes: who supervises is told, and what is said to go on goes on', async () => {
    rows.cut()
    await boss.locator(OUT, { hasText: '数据库无法访问' }).waitFor()
    await english.locator(OUT, { hasText: 'The database is away' }).waitFor()
    const since = boss.locator(`${OUT} .number`).first()
    const before = await since.innerText()
    await until(async () => await since.innerText() !== before, 'the time goes on')
    await visitorSays('还在吗？')
    await agent.locator('.bubble', { hasText: '还在吗' }).waitFor()
    await agent.locator('.composer textarea').fill('在的，我查一下。')
    await agent.locator('.composer textarea').press('Enter')
    await agent.locator('.item', { hasText: '在的，我查一下' }).getByText('已送达服务器').waitFor()
    assert.equal(await agent.locator('.outages').count(), 0, 'an agent is told of what concerns it only')
    await look(boss, 'one-zh')
    await look(english, 'one-en')
  })
  await check('Redis goes too: the gravest is told first, the other behind a button', async () => {
    stream.cut()
    await boss.locator(OUT, { hasText: 'Redis 无法访问' }).waitFor()
    assert.equal(await boss.locator(OUT).count(), 1)
    for (const [page, name] of [[boss, 'two-zh'], [english, 'two-en']]) {
      await page.locator('.outages .more').click()
      await page.locator(OUT).nth(1).waitFor()
      await look(page, name)
    }
  })
  await check('what was written meanwhile is kept, and arrives once when all is back', async () => {
    await agent.locator('.composer textarea').fill('找到了，明天送到。')
    await agent.locator('.composer textarea').press('Enter')
    stream.mend()
    rows.mend()
    await boss.locator(OUT).first().waitFor({ state: 'detached' })
    await boss.locator('.outages .bar.back').waitFor()
    await agent.locator('.item', { hasText: '明天送到' }).getByText('已送达服务器').waitFor()
    const path = `/v1/conversations/${wang.conversation}/events?limit=500`
    const { events } = await desk.admin('GET', path)
    assert.equal(events.filter((event) => event.text === '找到了，明天送到。').length, 1)
    await look(boss, 'back-zh')
    await english.locator('.outages .bar.back').waitFor()
    await look(english, 'back-en')
    await boss.locator('.outages .bar.back button').click()
    await boss.locator('.outages').waitFor({ state: 'detached' })
  })
  await check('every part there is has its words: told by a server of our own', async () => {
    const parts = { stream: {}, storage: { behind_ms: 95_000 }, journal: { bytes: 73_400_320 }, spool: { bytes: 1_073_741_824 }, archive: { behind_ms: 200_000 } }
    for (const [page, name] of [[boss, 'all-zh'], [english, 'all-en']]) {
      await page.routeWebSocket(/\/v1\/ws/, (socket) => {
        const server = socket.connectToServer()
        const outages = () => Object.entries(parts).map(([part, more]) => ({ part, since: Date.now() - 324_000, ...more }))
        server.onMessage((text) => {
          socket.send(text)
          if (JSON.parse(text).type === 'welcome') socket.send(JSON.stringify({ type: 'outages', outages: outages() }))
        })
      })
      await page.reload()
      await page.locator('.outages .more').click()
      await page.locator(OUT).nth(4).waitFor()
      await look(page, name)
    }
  })
  const unique = [...new Set(faults)]
  for (const one of unique) process.stdout.write(`not ok  ${one}\n`)
  assert.equal(unique.length, 0, 'accessibility and layout')
  assert.deepEqual(problems, [], 'errors in the browser log')
} finally {
  rows.mend()
  stream.mend()
  await browser?.close()
  await desk?.stop()
  rows.close()
  stream.close()
  sql(`DROP DATABASE IF EXISTS ${NAME} WITH (FORCE)`)
}
