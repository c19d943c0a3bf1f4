// How the console behaves, in a real browser against the real server: `node e2e/console.mjs` (KEFU_BIN names the program).
// How its pages look is in console-look.mjs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { checker, shots, startBrowser } from './browser.mjs'
import { PASSWORD, label, picture, setStatus, signIn, startDesk, until } from './desk.mjs'

const THREAD = 5_000
const FRAMES_MOST = 60
const widget = {
  color: '#1d5c4d',
  position: 'right',
  greeting: label('您好，请问有什么可以帮您？', 'Hello, how can we help?'),
  fields: [
    { name: 'name', kind: 'text', label: label('怎么称呼您', 'Your name'), required: true, options: [] },
    {
      name: 'topic', kind: 'select', label: label('咨询内容', 'Topic'), required: false, options: [
        { value: 'order', label: label('订单与物流', 'Orders and delivery') },
      ],
    },
  ],
  needs: [],
}
const desk = await startDesk(widget, {
  KEFU__LIMITS__FILE_BYTES: '200000', KEFU__LIMITS__MESSAGES_PER_SECOND: '100000', KEFU__LIMITS__MESSAGES_BURST: '100000',
})
const { browser, problems, watch } = await startBrowser(desk.base)
const check = checker(browser, 'console', 4)
const lin = await desk.hire('lin', '林悦', { capacity: 100, skills: [{ name: 'refund', level: 4 }] })
await desk.hire('mei', 'Mei Anderson-Wu', { capacity: 0, skills: [{ name: '退换货', level: 5 }, { name: 'english', level: 3 }] })
await desk.hire('boss', '赵主管', { role: 'admin', capacity: 100 })
const shot = (page, name) => page.screenshot({ path: `${shots}console-${name}.png` })
const row = (page, name) => page.locator('.row', { hasText: name })
const box = (page) => page.locator('.composer textarea')
const bubble = (page, text) => page.locator('.bubble', { hasText: text })
async function pick(page, name) {
  await row(page, name).click()
  await page.locator('.pane h2', { hasText: name }).waitFor()
}
async function write(page, text) {
  await box(page).fill(text)
  await box(page).press('Enter')
}
/** Lin's next conversation: a visitor with this name has said this. */
async function comes(name, ...said) {
  const visitor = desk.visitor({ name })
  await visitor.opens(said[0])
  for (const text of said.slice(1)) await visitor.says(text)
  await until(async () => (await desk.summary(visitor.conversation)).agent === lin.id, `${name} assigned`)
  return visitor
}
const messages = async (id) => (await desk.admin('GET', `/v1/conversations/${id}/events?limit=500`)).events
  .filter((e) => e.type === 'message')
const texts = async (id) => (await messages(id)).map((e) => e.text)

/** A page whose line to the server the test can cut; sound and notices are written down instead of made. */
async function wired(context) {
  const page = await watch(await context.newPage())
  const wire = { page, cut: false, sockets: new Set(), version: undefined, lists: 0 }
  await page.routeWebSocket(/\/v1\/ws/, (socket) => {
    if (wire.cut) return void socket.close()
    const server = socket.connectToServer()
    wire.sockets.add(socket)
    server.onMessage((text) => {
      const frame = JSON.parse(text)
      if (wire.version && frame.type === 'welcome') frame.version = wire.version
      socket.send(JSON.stringify(frame))
    })
  })
  await page.route('**/v1/**', async (route) => {
    if (wire.cut) return route.abort()
    const url = route.request().url()
    if (/\/v1\/conversations\?/.test(url)) wire.lists += 1
    if (!wire.version || !url.endsWith('/v1/commands')) return route.continue()
    const response = await route.fetch()
    const body = (await response.text()).replace(/"version":"[^"]*"/, `"version":"${wire.version}"`)
    return route.fulfill({ response, body })
  })
  wire.drop = async () => {
    wire.cut = true
    for (const socket of wire.sockets) await socket.close().catch(() => undefined)
    wire.sockets.clear()
  }
  await page.addInitScript(() => {
    window.rung = { tones: 0, notices: [] }
    const make = AudioContext.prototype.createGain
    AudioContext.prototype.createGain = function gain() {
      window.rung.tones += 1
      return make.call(this)
    }
    window.Notification = class {
      static permission = 'granted'
      static requestPermission = async () => 'granted'
      constructor(title, options) { window.rung.notices.push({ title, ...options }) }
      close() {}
    }
  })
  return wire
}

try {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai',
  })
  const wire = await wired(context)
  const { page } = wire
  let wang
  let li
  await check('the console comes under its policy', async () => {
    const answer = await fetch(`${desk.base}/console/`)
    const policy = answer.headers.get('content-security-policy')
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
      "connect-src 'self'", "require-trusted-types-for 'script'"]) assert(policy.includes(part), part)
  })
  await check('sign-in: wrong password is said, nothing typed is lost; then the empty desk', async () => {
    await page.goto(`${desk.base}/console/`)
    context.expectErrors = true
    await page.locator('input[name=login]').fill('lin')
    await page.locator('input[name=password]').fill('wrong')
    await page.locator('button[type=submit]').click()
    await page.locator('.error[role=alert]').waitFor()
    assert.equal(await page.locator('input[name=login]').inputValue(), 'lin')
    context.expectErrors = false
    await signIn(page, 'lin')
    await setStatus(page, '在线')
    await page.locator('.rows .blank').waitFor()
  })
  await check('unread is computed: badge, title, favicon; read when looked at', async () => {
    wang = await comes('王小姐', '你好', '订单三天没有物流了')
    li = await comes('李娜', '发票可以重开吗？')
    await row(page, '王小姐').locator('.badge', { hasText: '2' }).waitFor()
    await row(page, '李娜').locator('.badge', { hasText: '1' }).waitFor()
    await until(async () => /^\(2\) /.test(await page.title()), 'the title says 2')
    assert.match(await page.locator('link[rel=icon]').getAttribute('href'), /C4271E/)
    await pick(page, '王小姐')
    await row(page, '王小姐').locator('.badge').waitFor({ state: 'detached' })
    await until(async () => /^\(1\) /.test(await page.title()), 'the title says 1')
    await shot(page, 'thread')
  })
  await check('pinyin: Enter that chooses a word sends nothing, the next one sends once', async () => {
    const cdp = await context.newCDPSession(page)
    await box(page).focus()
    await cdp.send('Input.imeSetComposition', { text: 'nihao', selectionStart: 5, selectionEnd: 5 })
    await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229 })
    await cdp.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 })
    await cdp.send('Input.insertText', { text: '您好' })
    await page.waitForTimeout(60)
    await page.keyboard.press('Enter')
    await bubble(page, '您好').waitFor()
    // Whatever was sent before it is there when it is.
    const said = async () => (await messages(wang.conversation)).filter((e) => e.from.kind === 'agent').map((e) => e.text)
    await until(async () => (await said()).includes('您好'), 'the greeting at the server')
    assert.deepEqual(await said(), ['您好'])
    assert.deepEqual(await page.locator('.staff .bubble').allInnerTexts(), ['您好'])
  })
  await check('drafts: one per conversation and mode, over a reload and in every tab', async () => {
    await box(page).fill('给王小姐的草稿')
    await pick(page, '李娜')
    assert.equal(await box(page).inputValue(), '')
    await box(page).fill('给李娜的草稿')
    await page.locator('.composer .modes button', { hasText: '备注' }).click()
    await box(page).fill('备注草稿')
    await row(page, '王小姐').getByText('给王小姐的草稿').waitFor()
    await until(() => page.evaluate(() => localStorage.getItem('kefu.console.drafts')?.includes('备注草稿')), 'drafts kept')
    await page.reload()
    await page.locator('.pane h2', { hasText: '李娜' }).waitFor()
    assert.equal(await box(page).inputValue(), '备注草稿')
    const other = (await wired(context)).page
    await other.goto(`${desk.base}/console/conversations/${wang.conversation}`)
    await until(async () => await box(other).inputValue() === '给王小姐的草稿', 'the draft in the other tab')
    await other.close()
    await page.locator('.composer .modes button', { hasText: '回复' }).click()
    assert.equal(await box(page).inputValue(), '给李娜的草稿')
    await box(page).fill('')
  })
  await check('a note is for colleagues: colour, words and no message to the visitor', async () => {
    await page.keyboard.press('Escape')
    await page.keyboard.press('n')
    await page.locator('.composer.note').waitFor()
    await write(page, '已核实发票抬头')
    await page.locator('.item.note .bubble').waitFor()
    assert(!(await texts(li.conversation)).includes('已核实发票抬头'))
    await page.keyboard.press('Escape')
    await page.keyboard.press('r')
    await page.locator('.composer.reply').waitFor()
  })
  await check('keyboard: J K, Enter, G W, U, [, ], ?, Esc, F6, E; letters in the composer stay letters', async () => {
    await box(page).fill('')
    await box(page).press('j')
    assert.equal(await box(page).inputValue(), 'j')
    await box(page).fill('')
    await page.keyboard.press('Escape')
    await page.locator('.row[aria-selected=true]:focus').waitFor()
    const before = page.url()
    const at = await page.locator('.row[aria-selected=true]').getAttribute('aria-posinset')
    await page.keyboard.press(at === '1' ? 'j' : 'k')
    await page.waitForURL((url) => url.href !== before)
    await page.locator('.row[aria-selected=true]:focus').waitFor()
    await page.keyboard.press('Enter')
    await page.locator('.composer textarea:focus').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await page.keyboard.press('w')
    await page.locator('.tab.on', { hasText: '排队' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('m')
    await page.locator('.tab.on', { hasText: '我的' }).waitFor()
    await page.keyboard.press(']')
    await page.locator('.side').waitFor({ state: 'detached' })
    await page.keyboard.press(']')
    await page.locator('.side').waitFor()
    await page.keyboard.press('[')
    await page.locator('.pane.narrow').waitFor()
    await shot(page, 'narrow')
    await page.keyboard.press('[')
    await page.locator('.pane.narrow').waitFor({ state: 'detached' })
    await page.keyboard.press('F6')
    await page.keyboard.press('F6')
    assert(await page.evaluate(() => document.activeElement.matches('.composer textarea, .box, .row')))
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    const dialog = page.getByRole('dialog', { name: '键盘快捷键' })
    await dialog.waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    await pick(page, '李娜')
    await page.keyboard.press('Escape')
    await page.keyboard.press('u')
    await row(page, '李娜').locator('.badge').waitFor()
    await pick(page, '李娜')
    await row(page, '李娜').locator('.badge').waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    await page.keyboard.press('e')
    const closing = page.getByRole('dialog', { name: /李娜/ })
    await closing.waitFor()
    await until(() => page.evaluate(() => document.activeElement.innerText === '取消'), 'Cancel has the focus')
    await page.keyboard.press('Escape')
    await closing.waitFor({ state: 'hidden' })
  })
  await check('typing of the visitor is in the list and in the thread', async () => {
    await li.types()
    await row(page, '李娜').locator('.typing').waitFor()
    await page.locator('.thread .typing').waitFor()
  })
  await check('a blocked message stays with its reason, retry and delete', async () => {
    const wasm = new URL('../../target/plugins/message-filter.wasm', import.meta.url).pathname
    const query = new URLSearchParams({ name: 'message-filter', version: '0.2.0', config: JSON.stringify({ block: ['加我微信'] }) })
    const { token } = await desk.call('POST', '/v1/login', { login: 'boss', password: PASSWORD })
    const made = await fetch(`${desk.base}/v1/plugins?${query}`, {
      method: 'POST', body: readFileSync(wasm), headers: { 'content-type': 'application/wasm', authorization: `Bearer ${token}` },
    })
    assert.equal(made.status, 201)
    await desk.admin('POST', `/v1/plugins/${(await made.json()).generation.id}/activate`)
    await write(page, '您可以加我微信')
    const failed = page.locator('.item', { hasText: '您可以加我微信' })
    await failed.getByText('违禁词').waitFor()
    await shot(page, 'blocked')
    await failed.getByRole('button', { name: '删除' }).click()
    await failed.waitFor({ state: 'detached' })
    await write(page, '我的电话是13812345678')
    await page.locator('.item', { hasText: '敏感内容已隐去' }).waitFor()
  })
  await check('attachments: shown, sent by button, paste and drop, cancelled, and refused with the limit named', async () => {
    const shown = page.locator('.item', { hasText: '请看' }).locator('.image img')
    await li.attaches('衣服.png', picture(800, 600), '请看')
    await shown.waitFor()
    assert.deepEqual([await shown.getAttribute('width'), await shown.getAttribute('height')], ['320', '240'])
    await until(() => shown.evaluate((img) => img.naturalWidth === 800), 'the picture is loaded')
    const paper = await li.attaches('清单.csv', Buffer.from('a,b\n'))
    const link = page.locator('.item .file', { hasText: '清单.csv' })
    await link.getByText('CSV · 4 B').waitFor()
    assert.equal(await link.getAttribute('href'), paper.url)
    await row(page, '李娜').getByText('[文件] 清单.csv').waitFor()

    const chip = (name) => page.locator('.files li', { hasText: name })
    const send = page.locator('.composer .go')
    await page.locator('.composer input[type=file]').setInputFiles([
      { name: '发票.png', mimeType: 'image/png', buffer: picture(64, 64) },
      { name: 'big.png', mimeType: 'image/png', buffer: Buffer.alloc(200_001) },
      { name: 'film.mp4', mimeType: 'video/mp4', buffer: Buffer.from('film') },
    ])
    await chip('big.png').getByText('上限为 195 KB').waitFor()
    await chip('film.mp4').getByText('不支持这种文件').waitFor()
    for (const name of ['big.png', 'film.mp4']) await chip(name).locator('.icon-button').click()
    await chip('发票.png').locator('img').waitFor()
    const give = (event, name, type, bytes) => page.evaluate(([kind, called, mime, data]) => {
      const transfer = new DataTransfer()
      transfer.items.add(new File([new Uint8Array(data)], called, { type: mime }))
      const target = document.querySelector(kind === 'paste' ? '.composer textarea' : '.thread .box')
      const more = kind === 'paste' ? { clipboardData: transfer } : { dataTransfer: transfer }
      const Made = kind === 'paste' ? ClipboardEvent : DragEvent
      target.dispatchEvent(new Made(kind, { bubbles: true, cancelable: true, ...more }))
    }, [event, name, type, [...bytes]])
    await give('paste', '截图.png', 'image/png', picture(32, 32))
    await chip('截图.png').locator('img').waitFor()
    await give('dragover', '说明.txt', 'text/plain', [])
    await page.locator('.drop').waitFor()
    // An upload that hangs: Send waits and says why, cancel lets it go.
    const held = '**/v1/conversations/*/files?*'
    let go
    await page.route(held, (route) => { go = () => route.continue().catch(() => undefined) })
    await give('drop', '说明.txt', 'text/plain', Buffer.from('如何开票'))
    await page.locator('.drop').waitFor({ state: 'detached' })
    await chip('说明.txt').locator('progress').waitFor()
    assert(await send.isDisabled())
    assert.equal(await send.getAttribute('title'), '附件上传完成后才能发送')
    await shot(page, 'uploading')
    await until(() => go, 'the upload began')
    await chip('说明.txt').locator('.icon-button').click()
    await chip('说明.txt').waitFor({ state: 'detached' })
    go()
    await page.unroute(held)
    await give('drop', '说明.txt', 'text/plain', Buffer.from('如何开票'))
    await chip('说明.txt').getByText('12 B', { exact: true }).waitFor()
    await box(page).fill('发票和说明在这里')
    await box(page).press('Enter')
    await page.locator('.files').waitFor({ state: 'detached' })
    const sent = await until(async () => {
      const { events } = await desk.admin('GET', `/v1/conversations/${li.conversation}/events?limit=500`)
      const files = events.filter((one) => one.from.kind === 'agent' && one.file)
      return files.length === 3 && files
    }, 'three files sent')
    assert.deepEqual(sent.map((one) => [one.text, one.file.name]),
      [['发票和说明在这里', '发票.png'], ['', '截图.png'], ['', '说明.txt']])
    await page.locator('.staff .file', { hasText: '说明.txt' }).waitFor()
    await shot(page, 'attachments')
    await page.locator('.composer .modes button', { hasText: '备注' }).click()
    assert.equal(await page.locator('.composer input[type=file]').count(), 0)
    await give('paste', '截图.png', 'image/png', picture(32, 32))
    await page.getByText('备注不能带附件').waitFor()
    await page.locator('.composer .modes button', { hasText: '回复' }).click()
    assert.equal(await page.locator('.files').count(), 0)
  })
  await check('emoji go where the caret is; the last used come first', async () => {
    await box(page).fill('好的谢谢')
    await box(page).evaluate((el) => el.setSelectionRange(2, 2))
    await page.getByRole('button', { name: '表情' }).click()
    await page.locator('.sheet .cell', { hasText: '👍' }).click()
    assert.equal(await box(page).inputValue(), '好的👍谢谢')
    await page.getByRole('button', { name: '表情' }).click()
    assert.equal(await page.locator('.sheet .cell').first().innerText(), '👍')
    await page.keyboard.press('Escape')
    await page.locator('.sheet').waitFor({ state: 'detached' })
    await box(page).fill('')
  })
  await check('sound and notices: only the leading tab, only when hidden, never for the open conversation', async () => {
    const second = await wired(context)
    await second.page.goto(`${desk.base}/console/`)
    await row(second.page, '王小姐').waitFor()
    await page.evaluate(() => localStorage.setItem('kefu.console.notices', 'true'))
    await page.reload()
    await pick(page, '李娜')
    await row(second.page, '王小姐').click()
    for (const one of [page, second.page]) {
      await one.evaluate(() => {
        window.rung = { tones: 0, notices: [] }
        Object.defineProperty(document, 'hidden', { get: () => true })
      })
    }
    const zhou = await comes('周先生', '在吗')
    const rung = () => Promise.all([page, second.page].map((one) => one.evaluate(() => window.rung)))
    await until(async () => (await rung()).some((one) => one.notices.length > 0), 'a notice')
    const heard = await rung()
    assert.equal(heard.filter((one) => one.notices.length > 0).length, 1, JSON.stringify(heard))
    assert.equal(heard.filter((one) => one.tones > 0).length, 1, JSON.stringify(heard))
    assert.equal(heard.flatMap((one) => one.notices).find((one) => one.tag === zhou.conversation)?.tag, zhou.conversation)
    await second.page.close()
    // A tab in which nobody has done anything yet may not play.
    const fresh = (await wired(context)).page
    // Whatever the test asks a page counts as a gesture: the browser's answer is given here.
    await fresh.addInitScript(() => {
      Object.defineProperty(navigator, 'userActivation', { value: { hasBeenActive: false, isActive: false } })
    })
    await fresh.goto(`${desk.base}/console/`)
    await row(fresh, '周先生').waitFor()
    await page.goto('about:blank')
    await comes('吴小姐', '有货吗')
    await fresh.getByText('浏览器拦截了提示音').waitFor()
    await shot(fresh, 'sound-blocked')
    await fresh.getByRole('button', { name: '启用声音' }).click()
    await fresh.getByText('浏览器拦截了提示音').waitFor({ state: 'detached' })
    await fresh.close()
    await page.goto(`${desk.base}/console/`)
  })
  await check('offline: said truthfully, actions say why they rest, what is sent arrives once; nothing is refetched', async () => {
    await pick(page, '王小姐')
    await page.evaluate(() => { document.querySelector('.row[aria-selected=true]').kept = true })
    const lists = wire.lists
    context.expectErrors = true
    await wire.drop()
    await page.getByText('连接已断开').waitFor()
    const transfer = page.locator('.pane header').getByRole('button', { name: /转接/ })
    assert(await transfer.isDisabled())
    assert.equal(await transfer.getAttribute('title'), '恢复连接后可用')
    await write(page, '断线时写的')
    await page.locator('.item', { hasText: '断线时写的' }).getByText('发送中').waitFor()
    await shot(page, 'offline')
    wire.cut = false
    await page.evaluate(() => dispatchEvent(new Event('online')))
    await page.getByText('已恢复连接').waitFor()
    await page.locator('.item', { hasText: '断线时写的' }).getByText('发送中').waitFor({ state: 'detached' })
    context.expectErrors = false
    assert.equal(await bubble(page, '断线时写的').count(), 1)
    assert.equal((await texts(wang.conversation)).filter((text) => text === '断线时写的').length, 1)
    assert.equal(wire.lists, lists)
    assert(await page.evaluate(() => document.querySelector('.row[aria-selected=true]').kept))
  })
  await check('tabs that close while offline: what each of them wrote is sent by one that lives, once', async () => {
    context.expectErrors = true
    const tabs = [await wired(context), await wired(context)]
    for (const [n, one] of tabs.entries()) {
      await one.page.goto(`${desk.base}/console/conversations/${wang.conversation}`)
      await bubble(one.page, '断线时写的').waitFor()
      await one.drop()
      await one.page.getByText('连接已断开').waitFor()
      await write(one.page, `标签页 ${n} 写的`)
      await one.page.locator('.item', { hasText: `标签页 ${n} 写的` }).getByText('发送中').waitFor()
    }
    assert(!(await texts(wang.conversation)).some((text) => text.startsWith('标签页')))
    for (const one of tabs) await one.page.close()
    const left = async () => (await texts(wang.conversation)).filter((text) => text.startsWith('标签页')).sort()
    await until(async () => (await left()).length === 2, 'both are sent')
    assert.deepEqual(await left(), ['标签页 0 写的', '标签页 1 写的'])
    context.expectErrors = false
  })
  await check('a session that ends while offline: what was written is sent after the next sign-in', async () => {
    const other = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })
    other.expectErrors = true
    const one = await wired(other)
    await one.page.goto(`${desk.base}/console/conversations/${wang.conversation}`)
    await signIn(one.page, 'lin')
    await bubble(one.page, '断线时写的').waitFor()
    await one.drop()
    await one.page.getByText('连接已断开').waitFor()
    await write(one.page, '登录过期前写的')
    await other.clearCookies()
    one.cut = false
    await one.page.getByText('登录已过期').first().waitFor()
    await signIn(one.page, 'lin')
    await until(async () => (await texts(wang.conversation)).includes('登录过期前写的'), 'it is sent')
    await other.close()
  })
  await check('a site saved in the console keeps what its form does not show', async () => {
    const settings = {
      ...widget, greeting: { ...widget.greeting, ja: 'いらっしゃいませ' }, needs: [{ skill: 'refund', level: 2, required: false }], identity_required: true,
    }
    const path = '/v1/sites'
    const { site } = await desk.admin('POST', path, { key: 'signed', name: '签名站点', team: desk.team.id, origins: [], widget: settings })
    const stored = async () => (await desk.admin('GET', path)).sites.find((one) => one.id === site.id)
    const other = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })
    const one = await watch(await other.newPage())
    await one.goto(`${desk.base}/console/sites`)
    await signIn(one, 'boss')
    const save = async (change) => {
      await one.locator('tr', { hasText: '签名站点' }).locator('.acts .icon-button').click()
      const dialog = one.getByRole('dialog', { name: /签名站点/ })
      await dialog.waitFor()
      await change(dialog)
      await dialog.getByRole('button', { name: '保存', exact: true }).click()
      await dialog.waitFor({ state: 'hidden' })
    }
    await save((dialog) => dialog.locator('input').first().fill('签名站点二'))
    assert.deepEqual(await stored(), { ...site, name: '签名站点二' })
    await save((dialog) => dialog.getByRole('switch', { name: '只限签名访客' }).locator('..').click())
    assert.deepEqual(await stored(), { ...site, name: '签名站点二', widget: { ...site.widget, identity_required: false } })
    await other.close()
  })
  await check('a new version of the server asks for a reload', async () => {
    await page.reload()
    await page.locator('.pane header .el-button:not([disabled])').first().waitFor()
    await until(() => wire.sockets.size > 0, 'a WebSocket')
    wire.version = '99.0.0'
    context.expectErrors = true
    await wire.drop()
    wire.cut = false
    await page.getByRole('button', { name: '重新加载' }).waitFor()
    await shot(page, 'stale')
    context.expectErrors = false
    wire.version = undefined
    await page.getByRole('button', { name: '重新加载' }).click()
    await page.locator('.pane h2', { hasText: '王小姐' }).waitFor()
  })
  await check('a page for administrators says which role it needs', async () => {
    await page.goto(`${desk.base}/console/plugins`)
    await page.getByText('这个页面只给管理员用').waitFor()
    await page.getByText('需要管理员角色，你现在的角色是客服').waitFor()
  })
  await check('who supervises sees all conversations: how many, each with its last words, page by page', async () => {
    const other = await browser.newContext({ viewport: { width: 1440, height: 600 }, locale: 'zh-CN' })
    const all = await watch(await other.newPage())
    // The list of a small page stands for one of a hundred.
    await all.route('**/v1/conversations?limit=100*', (route) =>
      route.continue({ url: route.request().url().replace('limit=100', 'limit=2') }))
    await all.goto(`${desk.base}/console/`)
    await signIn(all, 'boss')
    const { total } = await desk.admin('GET', '/v1/conversations?limit=1')
    const tab = all.locator('.tab').nth(2)
    await all.locator('.tab .number').nth(2).filter({ hasText: new RegExp(`^${total}$`) }).waitFor()
    await tab.click()
    const seen = () => all.locator('.row').count()
    await until(async () => await seen() === total, 'all of them')
    assert.equal(await all.locator('.tab .number').nth(2).innerText(), String(total))
    await row(all, '王小姐').locator('.preview', { hasText: '登录过期前写的' }).waitFor()
    await wang.says('主管也看得到这一句')
    await row(all, '王小姐').locator('.preview', { hasText: '主管也看得到这一句' }).waitFor()
    await shot(all, 'all')
    await other.close()
  })
  await check(`a thread of ${THREAD} messages: few nodes, opens at its end, stays put while reading`, async () => {
    // Nothing stands between this page and the server, and nobody listens while 5,000 things are said.
    await page.goto('about:blank')
    const long = await comes('长对话', '第 0 条')
    const batch = (n, most) => long.post(Array.from({ length: Math.min(FRAMES_MOST, most - n) }, (_, i) => ({
      type: 'send', key: `long-${n + i}`, conversation: long.conversation,
      text: `第 ${n + i} 条 ${'很长的一句话，'.repeat((n + i) % 7)}`,
    })))
    // Side by side, because each waits for a disk; the last one comes last.
    const starts = Array.from({ length: Math.ceil((THREAD - 2) / FRAMES_MOST) }, (_, i) => 1 + i * FRAMES_MOST)
    const line = async () => { while (starts.length > 0) await batch(starts.shift(), THREAD - 1) }
    await Promise.all(Array.from({ length: 4 }, line))
    await batch(THREAD - 1, THREAD)
    const other = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })
    const one = await watch(await other.newPage())
    await one.goto(`${desk.base}/console/conversations/${long.conversation}`)
    await signIn(one, 'lin')
    await bubble(one, `第 ${THREAD - 1} 条`).waitFor()
    const nodes = await one.locator('.thread .item').count()
    assert(nodes > 3 && nodes <= 60, `${nodes} rows in the document`)
    const at = one.locator('.holder .box')
    await at.hover()
    await one.mouse.wheel(0, -6_000)
    await bubble(one, `第 ${THREAD - 1} 条`).waitFor({ state: 'detached' })
    await until(async () => {
      const before = await at.evaluate((el) => el.scrollTop)
      await one.waitForTimeout(150)
      return before === await at.evaluate((el) => el.scrollTop)
    }, 'the scrolling ends')
    const top = await at.evaluate((el) => el.scrollTop)
    await long.says('新来的一条')
    await one.locator('.pill', { hasText: '1' }).waitFor()
    assert.equal(await at.evaluate((el) => el.scrollTop), top)
    await one.locator('.thread .pill').click()
    await bubble(one, '新来的一条').waitFor()
    await shot(one, 'long-thread')
    await other.close()
  })
  assert.deepEqual(check.failed, [])
  assert.deepEqual(problems, [], 'errors in the browser log')
} finally {
  await browser.close()
  await desk.stop()
}
