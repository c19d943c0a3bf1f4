// A real server in a fresh data directory, with a team, a site and two agents: one that makes the site online and takes
// nothing, and one that is busy, so that conversations wait until the test takes them.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PASSWORD = 'a long test password 1'
const label = (zh, en) => ({ 'zh-CN': zh, en })
const WIDGET = {
  color: '#1d5c4d',
  position: 'right',
  greeting: label('您好，这里是北麓户外，请问有什么可以帮您？', 'Hello from Northslope, how can we help?'),
  fields: [
    { name: 'name', kind: 'text', label: label('怎么称呼您', 'Your name'), required: true, options: [] },
    {
      name: 'topic', kind: 'select', label: label('咨询内容', 'Topic'), required: true, options: [
        { value: 'order', label: label('订单与物流', 'Orders and delivery') },
        { value: 'sizes', label: label('尺码与商品', 'Sizes and products') },
        { value: 'return', label: label('退换货', 'Returns') },
      ],
    },
    { name: 'email', kind: 'email', label: label('邮箱（选填）', 'Email (optional)'), required: false, options: [] },
  ],
  needs: [],
}

/** The program in a fresh data directory; `settings` are its environment (`KEFU__SECTION__KEY`). */
export async function launch(settings = {}) {
  const data = mkdtempSync(join(tmpdir(), 'kefu-e2e-'))
  const program = process.env.KEFU_BIN ?? new URL('../../target/debug/kefu', import.meta.url).pathname
  const child = spawn(program, ['--data-dir', data, 'serve', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...settings },
  })
  let out = ''
  const found = await new Promise((done, fail) => {
    const look = (chunk) => {
      out += chunk
      const url = /listening on (http:\S+?);/.exec(out)
      const admin = /sign in as `(\S+)` with password `(\S+)`/.exec(out)
      if (url && admin) done({ base: url[1], login: admin[1], password: admin[2] })
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.on('exit', (code) => fail(new Error(`the server ended with ${code}:\n${out}`)))
  })
  const { base } = found
  const call = async (method, path, body, token) => {
    const response = await fetch(base + path, {
      method,
      headers: {
        'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const answer = await response.json().catch(() => ({}))
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
    return answer
  }
  return {
    base, call, login: found.login, password: found.password,
    stop: async () => {
      child.removeAllListeners('exit')
      const gone = new Promise((done) => child.on('exit', done))
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await gone
      clearTimeout(hard)
      rmSync(data, { recursive: true, force: true })
      const panic = /^.*panicked[\s\S]{0,500}/m.exec(out)
      if (panic) throw new Error(`the server panicked: ${panic[0]}`)
    },
  }
}

export async function startServer() {
  const { base, call, stop, ...found } = await launch()
  const admin = await call('POST', '/v1/login', { login: found.login, password: found.password })
  const token = admin.token
  const { team } = await call('POST', '/v1/teams', { name: '售后' }, token)
  const { sites } = await call('GET', '/v1/sites', undefined, token)
  const known = sites.find((site) => site.key === 'demo')
  const site = { key: 'demo', name: '北麓户外', team: team.id, origins: [base], widget: WIDGET }
  if (known) await call('PATCH', `/v1/sites/${known.id}`, site, token)
  else await call('POST', '/v1/sites', site, token)
  const people = []
  for (const [login, name, capacity] of [['lin', '客服小林', 50], ['duty', '值班', 0]]) {
    await call('POST', '/v1/agents', {
      login, name, capacity, role: 'agent', teams: [team.id], password: PASSWORD,
    }, token)
    people.push(await call('POST', '/v1/login', { login, password: PASSWORD }))
  }
  return {
    base,
    agent: async () => {
      const duty = new Agent(call, people[1].token)
      await duty.start('online')
      const lin = new Agent(call, people[0].token)
      await lin.start('busy')
      lin.colleague = duty
      return lin
    },
    cut: async (page) => { await page.evaluate(() => window.dispatchEvent(new Event('offline'))) },
    stop,
  }
}

/** An agent over long-poll. */
export class Agent {
  events = []
  waiting = new Map()
  wakers = new Set()
  stopped = false
  keys = 0

  constructor(call, token) {
    this.call = call
    this.token = token
  }

  async start(status) {
    const hello = { type: 'hello', protocol: 1, token: this.token, resume: [], client: 'e2e' }
    const { frames } = await this.call('POST', '/v1/commands', { frames: [hello] }, this.token)
    const welcome = frames.find((frame) => frame.type === 'welcome')
    this.session = welcome.session
    for (const one of welcome.conversations) this.hear({ type: 'conversation', conversation: one })
    await this.command({ type: 'status', status })
    this.loop = this.listen()
  }

  async listen() {
    let cursor = ''
    while (!this.stopped) {
      try {
        const path = `/v1/events?session=${this.session}&cursor=${encodeURIComponent(cursor)}&wait=2000`
        const answer = await this.call('GET', path, undefined, this.token)
        cursor = answer.cursor ?? cursor
        for (const frame of answer.frames) this.hear(frame)
      } catch (error) {
        // The test that waits for it says what is missing.
        if (!this.stopped) process.stderr.write(`agent: ${error.message}\n`)
        return
      }
    }
  }

  hear(frame) {
    if (frame.type === 'conversation') {
      const { id, state } = frame.conversation
      if (state === 'waiting') this.waiting.set(id, frame.conversation)
      else this.waiting.delete(id)
    }
    if (frame.type === 'gone') this.waiting.delete(frame.conversation)
    if (frame.type === 'event') this.events.push(frame.event)
    for (const wake of this.wakers) wake()
  }

  async until(what, wanted) {
    const found = what()
    if (found) return found
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.wakers.delete(wake)
        fail(new Error(`${wanted} did not happen in 20 s`))
      }, 20_000)
      const wake = () => {
        const now = what()
        if (!now) return
        clearTimeout(timer)
        this.wakers.delete(wake)
        done(now)
      }
      this.wakers.add(wake)
    })
  }

  async command(frame) {
    const { frames } = await this.call('POST', '/v1/commands', { session: this.session, frames: [frame] }, this.token)
    for (const answer of frames) {
      if (answer.type === 'error') throw new Error(`${frame.type}: ${answer.message}`)
      this.hear(answer)
    }
  }

  key() {
    this.keys += 1
    return `e2e-${this.keys}-${Date.now()}`
  }

  async takeFirst() {
    const first = await this.until(() => [...this.waiting.keys()][0], 'a waiting conversation')
    await this.command({ type: 'take', conversation: first, key: this.key() })
    this.waiting.delete(first)
    await this.command({ type: 'follow', conversation: first, seq: 0 }).catch(() => undefined)
    return first
  }

  say(conversation, text) { return this.command({ type: 'send', conversation, key: this.key(), text }) }
  typing(conversation) { return this.command({ type: 'typing', conversation, on: true }) }
  close(conversation) { return this.command({ type: 'close', conversation, key: this.key() }) }

  seen(conversation) {
    const head = Math.max(...this.events.filter((e) => e.conversation === conversation).map((e) => e.seq), 1)
    return this.command({ type: 'seen', conversation, delivered: head + 5, read: head + 5 })
  }

  count(conversation, text) {
    const seqs = this.events.filter((e) => e.conversation === conversation && e.text === text).map((e) => e.seq)
    return new Set(seqs).size
  }

  hears(conversation, text) { return this.until(() => this.count(conversation, text) > 0, `hearing ${text}`) }

  async leave() {
    for (const one of [this, this.colleague]) {
      await one.command({ type: 'status', status: 'offline' })
      one.stopped = true
    }
  }
}
