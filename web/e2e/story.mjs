// The main job, seen in a browser: `node e2e/story.mjs` (KEFU_BIN names the program). A visitor and an agent talk, the
// policy decides who answers, is swapped while they talk, the agent closes, the report is on the page, the visitor rates.
import assert from 'node:assert/strict'
import { checker, shots, startBrowser } from './browser.mjs'
import { label, setStatus, signIn, startDesk, until } from './desk.mjs'

const SHIPPED = { skill: 0.3, load: 0.4, quality: 0.3 }
/** What the site wishes for, and what the choice "returns" needs besides. */
const WISHED = { skill: 'outdoor', level: 5, required: false }
const NEEDED = { skill: 'returns', level: 1, required: true }
const CLEAR = 0.03
const widget = {
  color: '#1d5c4d',
  position: 'right',
  greeting: label('您好，这里是北麓户外，请问有什么可以帮您？', 'Hello from Northslope, how can we help?'),
  fields: [
    { name: 'name', kind: 'text', label: label('怎么称呼您', 'Your name'), required: true, options: [] },
    {
      name: 'topic', kind: 'select', label: label('咨询内容', 'Topic'), required: true, options: [
        { value: 'order', label: label('订单与物流', 'Orders and delivery') },
        { value: 'returns', label: label('退换货', 'Returns'), skill: NEEDED.skill },
      ],
    },
  ],
  needs: [WISHED],
}

/** The formula of the policy that serves first, from what an account says now. */
function weighted({ skills, active, capacity, quality }) {
  const level = (name) => skills.find((one) => one.name === name)?.level ?? 0
  const match = [WISHED, NEEDED].map((need) => Math.min(level(need.skill) / need.level, 1))
  const skill = match.reduce((sum, one) => sum + one, 0) / match.length
  return SHIPPED.skill * skill + SHIPPED.load * (1 - active / capacity) + SHIPPED.quality * quality
}
/** That of the plugin it is swapped for, which knows neither skill nor quality. */
const leastBusy = ({ active }) => 1 / (1 + active)

const desk = await startDesk(widget)
const { browser, problems, open } = await startBrowser(desk.base, {
  viewport: { width: 1440, height: 900 }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai',
})
const check = checker(browser, 'story')
const shot = (page, name) => page.screenshot({ path: `${shots}story-${name}.png` })
const inside = (page) => page.locator('#kefu-widget')

const skills = (outdoor, returns) => [
  { name: WISHED.skill, level: outdoor }, { name: NEEDED.skill, level: returns },
]
const lin = await desk.hire('lin', '林悦', { capacity: 4, skills: skills(5, 3) })
const chen = await desk.hire('chen', '陈明', { capacity: 4, skills: skills(3, 1) })
const zhao = await desk.hire('zhao', '赵蕾', { capacity: 10, skills: skills(3, 2) })
const people = [lin, chen, zhao]

/** Everybody's score now, best first; the first must be clear of the second. */
async function standing(score) {
  const { agents } = await desk.admin('GET', '/v1/agents')
  const list = people.map(({ id, name }) => ({ id, name, score: score(agents.find((a) => a.id === id)) }))
  list.sort((a, b) => b.score - a.score)
  assert(list[0].score - list[1].score > CLEAR, `too close to tell: ${JSON.stringify(list)}`)
  return list
}
/** Where the server put the newest conversation of this name; who it was, and why, is in the failure. */
async function placed(name, expected) {
  const newest = async () => (await desk.admin('GET', '/v1/conversations?limit=20')).conversations
    .find((one) => one.visitor_name === name)
  const { id } = await until(newest, `a conversation of ${name} on the server`)
  const told = async () => JSON.stringify({
    conversation: await desk.summary(id), ...await desk.admin('GET', `/v1/conversations/${id}/decisions`),
  })
  const agent = await assigned(id).catch(async (error) => { throw new Error(`${error.message}: ${await told()}`) })
  if (agent !== expected.id) throw new Error(`${name} is not with ${expected.name}: ${await told()}`)
  return id
}
const assigned = (id) => until(async () => (await desk.summary(id)).agent, 'an agent')

/** The widget of a new visitor, its form filled in. */
async function ask(name, text, options) {
  const page = await open(`/demo/demo?lang=${options.locale === 'en-GB' ? 'en' : 'zh-CN'}`, options)
  await inside(page).locator('.launcher').click()
  const form = inside(page).locator('form')
  await form.locator('input').first().fill(name)
  await form.locator('select').selectOption('returns')
  await shot(page, options.shot)
  await form.locator('button[type=submit]').click()
  await say(page, text)
  return page
}
async function say(page, text) {
  const box = inside(page).locator('.composer textarea')
  await box.fill(text)
  await box.press('Enter')
  await inside(page).getByText(text).first().waitFor()
}
const hears = (page, text) => inside(page).getByText(text).first().waitFor()
async function reply(page, text) {
  const box = page.locator('.composer textarea')
  await box.fill(text)
  await box.press('Enter')
  await page.locator('.bubble', { hasText: text }).waitFor()
}
const reads = (page, text) => page.locator('.bubble', { hasText: text }).waitFor()
async function picks(page, name) {
  await page.locator('.row', { hasText: name }).click()
  await page.locator('.pane h2', { hasText: name }).waitFor()
}
const idOf = (page) => /conversations\/(\d+)/.exec(page.url())[1]

const clerks = {}
try {
  await check('load: open conversations; neighbour: before anybody is inspected another one wins', async () => {
    for (const { login } of people) clerks[login] = await desk.clerk(login, 'busy')
    for (const [login, name] of [['lin', '周先生'], ['lin', '何女士'], ['zhao', '吴小姐']]) {
      const id = await desk.visitor({ name, topic: 'order' }).opens('帐篷的防水指数是多少？')
      await clerks[login].until(() => clerks[login].waiting.has(id), 'the conversation in the queue')
      await clerks[login].command({ type: 'take', conversation: id, key: clerks[login].key() })
    }
    for (const { login } of people) await clerks[login].command({ type: 'status', status: 'online' })
    const [best] = await standing(weighted)
    assert.equal(best.name, chen.name)
    const id = await desk.visitor({ name: '邻近设置', topic: 'returns' }).opens('尺码不合适，可以换吗？')
    assert.equal(await assigned(id), best.id)
    await clerks.chen.close(id)
    for (const { login } of people) await clerks[login].command({ type: 'status', status: 'busy' })
  })
  await check('quality: a tenth of the way to each report’s score', async () => {
    let quality = 0.8
    let id
    const inspected = async () => (await desk.admin('GET', `/v1/conversations/${id}`)).report
    const first = (await desk.admin('GET', '/v1/conversations?limit=10')).conversations.find((c) => c.state === 'closed')
    id = first.id
    quality += ((await until(inspected, 'the report')).card.score / 100 - quality) * 0.1
    for (let n = 0; n < 9; n += 1) {
      id = await desk.visitor({ name: `没人理 ${n}`, topic: 'order' }).opens('有人吗？')
      const taken = id
      await clerks.chen.until(() => clerks.chen.waiting.has(taken), 'the conversation in the queue')
      await clerks.chen.command({ type: 'take', conversation: id, key: clerks.chen.key() })
      await clerks.chen.close(id)
      quality += ((await until(inspected, 'the report')).card.score / 100 - quality) * 0.1
    }
    const told = await until(async () => {
      const now = (await desk.account(chen.id)).quality
      return Math.abs(now - quality) < 1e-9 && now
    }, `the quality ${quality}`)
    assert(told < 0.5)
  })

  const consoles = {}
  await check('three agents sign in and go online', async () => {
    for (const { login } of people) {
      const options = login === 'chen' ? { locale: 'en-GB', timezoneId: 'Europe/London' } : {}
      const page = await open('/console/', options)
      if (login === 'lin') await shot(page, '01-sign-in')
      await signIn(page, login)
      await setStatus(page, login === 'chen' ? 'Online' : '在线')
      consoles[login] = page
    }
    await shot(consoles.lin, '02-empty')
  })

  let first
  let winner
  await check('the visitor goes to the one the weights say', async () => {
    const list = await standing(weighted)
    winner = list[0]
    assert.equal(winner.name, zhao.name)
    first = await ask('王小姐', '上周买的冲锋衣大了一号，能换小一码吗？', { locale: 'zh-CN', shot: '03-form' })
    await placed('王小姐', zhao)
    await picks(consoles.zhao, '王小姐')
    await hears(first, zhao.name)
    const id = idOf(consoles.zhao)
    assert.equal((await desk.summary(id)).agent, zhao.id)
    const chosen = consoles.zhao.locator('.side .one.chosen')
    assert.equal(await chosen.locator('b').innerText(), zhao.name)
    assert.equal(await chosen.locator('.score').innerText(), winner.score.toFixed(2))
    for (const other of [consoles.lin, consoles.chen]) assert.equal(await other.locator('.row', { hasText: '王小姐' }).count(), 0)
  })
  await check('both talk, in Chinese and English; each sees the other typing', async () => {
    await reply(consoles.zhao, '您好，可以换的。请问订单号是多少？')
    await hears(first, '您好，可以换的。请问订单号是多少？')
    await inside(first).locator('.composer textarea').pressSequentially('8')
    await consoles.zhao.locator('.typing', { hasText: '王小姐' }).first().waitFor()
    await shot(consoles.zhao, '04-typing')
    await say(first, '88213，两天前签收的')
    await reads(consoles.zhao, '88213，两天前签收的')
    await consoles.zhao.locator('.composer textarea').pressSequentially('这')
    await inside(first).locator('.dots').waitFor()
    await reply(consoles.zhao, '库存不归我管，我去问一下仓库 — in stock since Monday.')
    await hears(first, 'in stock since Monday')
    await say(first, 'Great, 那就换小一码，谢谢')
    await reads(consoles.zhao, 'Great, 那就换小一码，谢谢')
    await shot(consoles.zhao, '05-talking')
    await shot(first, '06-widget-talking')
  })

  let boss
  await check('another plugin is put in charge on the plugins page while they talk', async () => {
    boss = await open('/console/plugins')
    await signIn(boss, desk.login, desk.password)
    await boss.getByRole('button', { name: '上传插件' }).click()
    const dialog = boss.getByRole('dialog', { name: '上传插件' })
    const wasm = new URL('../../target/plugins/least-busy.wasm', import.meta.url).pathname
    await dialog.locator('input[type=file]').setInputFiles(wasm)
    await dialog.getByLabel('版本').fill('1.1.0')
    await dialog.getByLabel('配置').fill(JSON.stringify({ by: 'conversations' }))
    await shot(boss, '07-upload')
    await dialog.getByRole('button', { name: '上传并检查' }).click()
    await dialog.waitFor({ state: 'hidden' })
    const admitted = boss.locator('.line .admitted', { hasText: '1.1.0' })
    await admitted.waitFor()
    await admitted.getByRole('button', { name: '启用' }).click()
    const confirm = boss.getByRole('dialog').filter({ hasText: '1.1.0' })
    await confirm.waitFor()
    await shot(boss, '08-activate')
    await confirm.getByRole('button', { name: '启用' }).click()
    await boss.locator('.line .active', { hasText: '1.1.0' }).waitFor()
    await confirm.waitFor({ state: 'hidden' })
    await shot(boss, '09-plugins')
  })
  await check('the next conversation follows the new policy, the open one is untouched', async () => {
    const [before] = await standing(weighted)
    const [now] = await standing(leastBusy)
    assert.equal(before.name, zhao.name)
    assert.equal(now.name, chen.name)
    const second = await ask('Alice', 'Hi, can I return a tent that was used once?', {
      locale: 'en-GB', timezoneId: 'Europe/London', shot: '10-form-en',
    })
    await placed('Alice', chen)
    await picks(consoles.chen, 'Alice')
    assert.equal((await desk.summary(idOf(consoles.chen))).agent, chen.id)
    assert.equal(await consoles.chen.locator('.side .one.chosen .score').innerText(), now.score.toFixed(2))
    await consoles.chen.locator('.side .decision', { hasText: 'least-busy 1.1.0' }).waitFor()
    await reply(consoles.chen, 'Hello Alice, yes, within 30 days. Shall I book the pick-up?')
    await hears(second, 'Shall I book the pick-up?')
    await say(second, 'Yes please, tomorrow morning.')
    await reads(consoles.chen, 'Yes please, tomorrow morning.')
    await shot(consoles.chen, '11-talking-en')
    const open = await desk.summary(idOf(consoles.zhao))
    assert.deepEqual([open.state, open.agent], ['active', zhao.id])
    await say(first, '换货需要我付运费吗？')
    await reads(consoles.zhao, '换货需要我付运费吗？')
    await reply(consoles.zhao, '运费由我们承担，快递今天下午上门取件。')
    await hears(first, '运费由我们承担')
  })
  await check('nothing lost, doubled or reordered', async () => {
    const { events } = await desk.admin('GET', `/v1/conversations/${idOf(consoles.zhao)}/events?limit=500`)
    assert.deepEqual(events.map((e) => e.seq), events.map((_, at) => at + 1))
    assert.equal(events.filter((e) => e.type === 'assigned').length, 1)
    const said = events.filter((e) => e.type === 'message').map((e) => e.text)
    assert.deepEqual(said, [
      '上周买的冲锋衣大了一号，能换小一码吗？', '您好，可以换的。请问订单号是多少？', '88213，两天前签收的',
      '库存不归我管，我去问一下仓库 — in stock since Monday.', 'Great, 那就换小一码，谢谢',
      '换货需要我付运费吗？', '运费由我们承担，快递今天下午上门取件。',
    ])
    for (const text of said) assert.equal(await consoles.zhao.locator('.bubble', { hasText: text }).count(), 1)
  })
  await check('the agent ends it; the report is on the page and its findings lead to their line', async () => {
    const page = consoles.zhao
    const id = idOf(page)
    await page.keyboard.press('Escape')
    await page.keyboard.press('e')
    const dialog = page.getByRole('dialog', { name: /王小姐/ })
    await dialog.waitFor()
    await shot(page, '12-closing')
    await dialog.getByRole('button', { name: '结束会话' }).click()
    await inside(first).getByText('会话已结束').first().waitFor()
    const report = page.locator('.side .report')
    await report.waitFor()
    const kept = (await desk.admin('GET', `/v1/conversations/${id}/report`)).report
    assert.equal(kept.card.score, 70)
    assert.equal(await report.locator('.total b').innerText(), '70')
    assert.deepEqual(kept.card.findings.map((one) => one.rule).sort(), ['closing', 'forbidden_words'])
    const finding = report.locator('.finding.fail')
    assert.match(await finding.innerText(), /违禁用语[\s\S]*不归我管/)
    await finding.click()
    await page.locator('.item.marked .bubble', { hasText: '不归我管' }).waitFor()
    await shot(page, '13-report')
  })
  await check('the visitor rates, and the agent sees it', async () => {
    await inside(first).locator('.face').nth(4).click()
    await inside(first).locator('.more textarea').fill('换得很快')
    await inside(first).locator('.more .main').click()
    await inside(first).getByText('感谢您的评价').first().waitFor()
    await shot(first, '14-rated')
    await consoles.zhao.locator('.system', { hasText: '换得很快' }).waitFor()
    await shot(consoles.zhao, '15-rated')
    assert.equal((await desk.summary(idOf(consoles.zhao))).rating, 5)
  })
  assert.deepEqual(problems, [], 'errors in the browser log')
} finally {
  await browser.close()
  for (const clerk of Object.values(clerks)) clerk.stopped = true
  await desk.stop()
}
