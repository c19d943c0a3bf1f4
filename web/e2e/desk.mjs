// What the console's suites share: a server with people, over the API; the gestures of an agent; a made-up picture.
import assert from 'node:assert/strict'
import { crc32, deflateSync } from 'node:zlib'
import { DEADLINE_MS } from './browser.mjs'
import { Agent, launch } from './server.mjs'

export const PASSWORD = 'a long test password 1'
export const label = (zh, en) => ({ 'zh-CN': zh, en })

/** Asks until `what` answers something; the last answer is in the failure. */
export async function until(what, wanted, deadline = DEADLINE_MS) {
  const end = Date.now() + deadline
  for (;;) {
    const found = await what()
    if (found) return found
    if (Date.now() > end) throw new Error(`${wanted}: not in ${deadline} ms`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

/** A server with one team and the demo site; people are added by the suite. */
export async function startDesk(widget, settings = {}) {
  const server = await launch({ KEFU__LIMITS__VISITORS_BURST: '10000', ...settings })
  const { base, call } = server
  const { token } = await call('POST', '/v1/login', { login: server.login, password: server.password })
  const admin = (method, path, body) => call(method, path, body, token)
  const { team } = await admin('POST', '/v1/teams', { name: '售后' })
  const site = { key: 'demo', name: '北麓户外', team: team.id, origins: [base], widget }
  const known = (await admin('GET', '/v1/sites')).sites.find((one) => one.key === 'demo')
  if (known) await admin('PATCH', `/v1/sites/${known.id}`, site)
  else await admin('POST', '/v1/sites', site)
  return {
    ...server,
    admin,
    team,
    hire: async (login, name, more = {}) => {
      const body = { login, name, role: 'agent', capacity: 5, teams: [team.id], password: PASSWORD, ...more }
      const { agent } = await admin('POST', '/v1/agents', body)
      return { ...agent, login }
    },
    /** An agent without a page: takes, says and closes over long-poll. */
    clerk: async (login, status) => {
      const { token: own } = await call('POST', '/v1/login', { login, password: PASSWORD })
      const clerk = new Agent(call, own)
      await clerk.start(status)
      return clerk
    },
    visitor: (fields, language = 'zh-CN') => new Visitor(server, fields, language),
    account: async (id) => (await admin('GET', '/v1/agents')).agents.find((one) => one.id === id),
    summary: async (id) => (await admin('GET', `/v1/conversations/${id}`)).conversation,
  }
}

/** A PNG of a soft slope of colours, larger in bytes with `noise`. */
export function picture(width, height, noise = 0) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const edge = Buffer.alloc(8)
    edge.writeUInt32BE(data.length)
    edge.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([edge.subarray(0, 4), body, edge.subarray(4)])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([8, 2], 8)
  const lines = Buffer.alloc(height * (1 + width * 3))
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const grain = noise && (x * 7919 + y * 104729 + x * y * 31) % noise
      const colour = [60 + (x / width) * 120, 110 + (y / height) * 90, 140 - (x / width) * 60]
      lines.set(colour.map((one) => (one + grain) & 255), y * (1 + width * 3) + 1 + x * 3)
    }
  }
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', deflateSync(lines)), chunk('IEND', Buffer.alloc(0))])
}

/** A visitor without a page. */
class Visitor {
  keys = 0

  constructor(server, fields, language) {
    Object.assign(this, { server, fields, language })
  }

  async post(frames) {
    this.token ??= await this.introduce()
    const hello = { type: 'hello', protocol: 1, token: this.token, resume: [], client: 'e2e' }
    const answer = await this.server.call('POST', '/v1/commands', { frames: [hello, ...frames] }, this.token)
    const refused = answer.frames.find((frame) => frame.type === 'error')
    assert.equal(refused, undefined)
    return answer.frames
  }

  async introduce() {
    const { base } = this.server
    const response = await fetch(`${base}/v1/visitors`, {
      method: 'POST', body: JSON.stringify({ site: 'demo' }),
      headers: { 'content-type': 'application/json', origin: base },
    })
    return (await response.json()).token
  }

  key() {
    this.keys += 1
    return `visitor-${this.keys}`
  }

  async opens(text) {
    const open = {
      type: 'open', key: this.key(), fields: this.fields, text, language: this.language,
      page: `${this.server.base}/demo/demo`,
    }
    const frames = await this.post([open])
    this.conversation = frames.find((frame) => frame.type === 'ack').conversation
    return this.conversation
  }

  says(text) {
    return this.post([{ type: 'send', key: this.key(), conversation: this.conversation, text }])
  }

  /** Uploads a file and sends it with a text. */
  async attaches(name, bytes, text = '') {
    const path = `/v1/conversations/${this.conversation}/files?${new URLSearchParams({ name })}`
    const type = name.endsWith('.csv') ? 'text/csv' : 'application/octet-stream'
    const response = await fetch(this.server.base + path, {
      method: 'POST', body: bytes, headers: { authorization: `Bearer ${this.token}`, origin: this.server.base, 'content-type': type },
    })
    const answer = await response.json()
    assert.equal(response.status, 201, JSON.stringify(answer))
    await this.post([{ type: 'send', key: this.key(), conversation: this.conversation, text, file: answer.file.id }])
    return answer.file
  }

  types(on = true) {
    return this.post([{ type: 'typing', conversation: this.conversation, on }])
  }

  rates(score, comment) {
    return this.post([{ type: 'rate', key: this.key(), conversation: this.conversation, score, comment }])
  }
}

export async function signIn(page, login, password = PASSWORD) {
  await page.locator('input[name=login]').fill(login)
  await page.locator('input[name=password]').fill(password)
  await page.locator('button[type=submit]').click()
  await page.locator('.rail').waitFor()
}

/** Picks a status in one's own menu; done when the menu's button says it. */
export async function setStatus(page, words) {
  await page.locator('.rail .me').click()
  await page.getByRole('menuitem', { name: words, exact: true }).click()
  await page.locator(`.rail .me[aria-label*="${words}"]`).waitFor()
}
