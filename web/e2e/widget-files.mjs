// Files from the visitor: pasted, dropped and picked; refused by name where they are too large or of another kind; kept
// over a cut.
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { startServer } from './server.mjs'
import { begin, composer, inside, startBrowser, text, type } from './widget-kit.mjs'

const server = await startServer()
const { browser, check, finish, open, shot } = await startBrowser(server.base, 'widget-files')
const agent = await server.agent()
const PDF = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')
const pick = (page, ...files) => inside(page).locator('input[type=file]').setInputFiles(files)
const chips = (page) => inside(page).locator('.chip')
const send = (page) => inside(page).locator('.send').click()
const heard = (id, name) => agent.until(() => agent.events.find((event) =>
  event.conversation === id && event.file?.name === name)?.file, `hearing ${name}`)

/** An image made by the page itself, pasted or dropped into the composer. */
const hand = (page, how, name) => composer(page).evaluate(async (node, [kind, file]) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 400 })
  const pen = canvas.getContext('2d')
  pen.fillStyle = '#1d5c4d'
  pen.fillRect(0, 0, 640, 400)
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'))
  const data = new DataTransfer()
  data.items.add(new File([blob], file, { type: 'image/png' }))
  node.dispatchEvent(kind === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true, composed: true })
    : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true, composed: true }))
}, [how, name])

try {
  const page = await open('/demo/demo?lang=en', { locale: 'en-GB' })
  let id
  await check('an image pasted before the first word: it opens the conversation and arrives with its size', async () => {
    await begin(page, 'Alice', 'alice@example.com')
    // What sends files comes with the first one: cut off, it says so, and the next try has it.
    page.context().expectErrors = true
    await page.route('**/assets/widget-files-*', (route) => route.abort())
    await hand(page, 'paste', 'screen.png')
    await text(page, 'screen.png: not uploaded')
    await page.unroute('**/assets/widget-files-*')
    page.context().expectErrors = false
    await hand(page, 'paste', 'screen.png')
    await chips(page).waitFor()
    await shot(page, 'widget-files-01-chip')
    await send(page)
    id = await agent.takeFirst()
    const file = await heard(id, 'screen.png')
    assert.deepEqual([file.type, file.width, file.height], ['image/png', 640, 400])
    // A row is drawn again when its state changes: measured when it is settled.
    await inside(page).locator('.foot', { hasText: 'Sent' }).waitFor()
    await chips(page).waitFor({ state: 'detached' })
    const size = await inside(page).locator('.mine .bubble img')
      .evaluate((node) => [node.offsetWidth, node.offsetHeight])
    assert.deepEqual(size, [240, 150])
    await shot(page, 'widget-files-02-image')
  })
  await check('a file by the button and an image by drop, with words: three messages', async () => {
    await pick(page, { name: 'order 88213.pdf', mimeType: 'application/pdf', buffer: PDF })
    await hand(page, 'drop', 'parcel.png')
    await composer(page).fill('Here is the invoice')
    await chips(page).nth(1).waitFor()
    await send(page)
    await agent.hears(id, 'Here is the invoice')
    await heard(id, 'parcel.png')
    const { url } = await heard(id, 'order 88213.pdf')
    const link = inside(page).locator('.mine a', { hasText: 'order 88213.pdf' })
    assert.equal(await link.getAttribute('target'), '_blank')
    const saved = await fetch(await link.evaluate((node) => node.href))
    assert.ok(saved.url.endsWith(url))
    assert.deepEqual(Buffer.from(await saved.arrayBuffer()), PDF)
  })
  await check('one taken back is not sent', async () => {
    await pick(page, { name: 'wrong.pdf', mimeType: 'application/pdf', buffer: PDF })
    await chips(page).locator('.icon').click()
    await chips(page).waitFor({ state: 'detached' })
    assert.ok(await inside(page).locator('.send').isDisabled())
    await type(page, 'no file')
    await agent.hears(id, 'no file')
    assert.equal(agent.events.filter((event) => event.file?.name === 'wrong.pdf').length, 0)
  })
  await check('too large, of another kind: refused at once, with the limit', async () => {
    await pick(page, { name: 'film.png', mimeType: 'image/png', buffer: Buffer.alloc(11 * 1024 * 1024) })
    await text(page, 'Files up to')
    assert.match(await inside(page).locator('.notice').innerText(), /\d MB/)
    await shot(page, 'widget-files-03-too-large')
    await pick(page, { name: 'page.html', mimeType: 'text/html', buffer: Buffer.from('<p>') })
    await text(page, 'These files can be sent: png, jpeg')
    assert.equal(await chips(page).count(), 0)
  })
  await check('not what it says: the server refuses it, the chip says so', async () => {
    page.context().expectErrors = true
    await pick(page, { name: 'fake.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
    await text(page, 'fake.png: this kind of file cannot be sent')
    assert.equal(await chips(page).locator('.link').isVisible(), false)
    await shot(page, 'widget-files-04-refused')
    await chips(page).locator('.icon').click()
  })
  await check('a cut while uploading: Retry, then it arrives once', async () => {
    await page.route(/conversations\/\d+\/files/, (route) => route.abort())
    await pick(page, { name: 'late.pdf', mimeType: 'application/pdf', buffer: PDF })
    await send(page)
    await text(page, 'late.pdf: not uploaded')
    await shot(page, 'widget-files-05-cut')
    await page.unroute(/conversations\/\d+\/files/)
    await chips(page).locator('.link').click()
    await heard(id, 'late.pdf')
    await chips(page).waitFor({ state: 'detached' })
    assert.equal(agent.events.filter((event) => event.file?.name === 'late.pdf').length, 1)
    page.context().expectErrors = false
  })
  await check('a reload shows files as they were', async () => {
    await page.reload()
    await inside(page).locator('.mine .bubble img').nth(1).waitFor()
    await text(page, 'order 88213.pdf')
    await page.context().close()
  })
  finish()
} finally {
  await browser.close()
  await server.stop()
}
