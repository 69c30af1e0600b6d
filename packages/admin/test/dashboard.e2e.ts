import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { StartedAdmin } from './started-admin.ts'

const executablePath = '/usr/bin/chromium'
const isMissing = process.env['CI'] !== 'true' && spawnSync(executablePath, ['--version']).error !== undefined
/** Where pictures of the pages are left, for people; undefined: none are taken. */
const { X_PICTURES: pictures } = process.env

interface Opened {
  readonly page: Page
  /** Hosts that something was asked of. */
  readonly hosts: Set<string>
  /** What the page reported, and dialogs that were opened. */
  readonly faults: string[]
}

async function open(admin: StartedAdmin, key: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.setDefaultTimeout(40_000)
  const hosts = new Set<string>()
  const faults: string[] = []
  page.on('request', request => void hosts.add(new URL(request.url()).host))
  page.on('websocket', socket => void hosts.add(new URL(socket.url()).host))
  page.on('pageerror', error => void faults.push(error.message))
  page.on('console', message => {
    if (/Content.Security.Policy|TrustedHTML/i.test(message.text())) faults.push(message.text())
  })
  page.on('dialog', dialog => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(`${admin.url}/#key=${encodeURIComponent(key)}`)
  await page.getByRole('heading', { name: `Broker ${admin.broker.id}` }).waitFor()
  return { page, hosts, faults }
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true })
}

async function goTo(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name, exact: true }).click()
  await page.locator(`nav a[aria-current]:text-is("${name}")`).waitFor()
}

const admin = 'key of an admin, long'

test.skipIf(isMissing)('a client appears, is looked at and disconnected', async () => {
  const started = await StartedAdmin.start({ dashboard: true })
  const { page, hosts, faults } = await open(started, admin)
  expect(page.url()).not.toContain('key')
  await goTo(page, 'Clients')
  await page.getByText('None.').waitFor()
  const client = await started.connect({ clientId: 'lamp 1', username: 'ann' })
  await client.subscribeAsync('house/#', { qos: 1 })
  const closed = new Promise<void>(resolve => void client.once('close', () => resolve()))
  await page.getByRole('link', { name: 'lamp 1' }).click()
  await page.getByRole('cell', { name: 'house/#' }).waitFor()
  await picture(page, 'client')
  await page.getByRole('button', { name: 'Disconnect' }).click()
  await closed
  await page.getByText('The connection is closed.').waitFor()
  expect([...hosts]).toEqual([new URL(started.url).host])
  expect(faults).toEqual([])
})

test.skipIf(isMissing)('publishes and subscribes over a WebSocket, and shows what is retained as a tree', async () => {
  const started = await StartedAdmin.start({ dashboard: true })
  const client = await started.connect({ clientId: 'listener' })
  await client.subscribeAsync('#')
  const came = new Promise<string>(
    resolve => void client.once('message', (topic, text) => resolve(`${topic} ${text.toString()}`)),
  )
  const { page, hosts, faults } = await open(started, admin)
  await goTo(page, 'Messages')
  await page.getByRole('button', { name: 'Subscribe' }).click()
  await page.getByRole('button', { name: '# ×' }).waitFor()
  await page.getByLabel('topic').fill('house/kitchen/lamp')
  await page.getByLabel('payload').fill('{"on":true,"level":3}')
  await page.getByLabel('retain').check()
  await page.getByRole('button', { name: 'Publish' }).click()
  expect(await came).toBe('house/kitchen/lamp {"on":true,"level":3}')
  await page.getByRole('list', { name: 'messages' }).getByText('house/kitchen/lamp').waitFor()
  await picture(page, 'messages')
  await goTo(page, 'Topics')
  await page.locator('summary', { hasText: 'kitchen' }).waitFor()
  await page.getByRole('button', { name: 'lamp' }).click()
  await page.locator('pre', { hasText: '"level": 3' }).waitFor()
  await page.getByLabel('form').selectOption('hex')
  await page.locator('pre', { hasText: '000000  7b 22 6f 6e' }).waitFor()
  await picture(page, 'topics')
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByText('Removed.').waitFor()
  expect(await started.broker.counts()).toMatchObject({ retainedMessages: 0 })
  expect([...hosts]).toEqual([new URL(started.url).host])
  expect(faults).toEqual([])
})

test.skipIf(isMissing)('the overview counts live, in light and dark, on a phone', async () => {
  const started = await StartedAdmin.start(
    { dashboard: true },
    { authenticate: (_client, username, _password) => username !== 'eve' },
  )
  await expect(started.connect({ username: 'eve' })).rejects.toThrow()
  const viewport = { width: 390, height: 800 }
  const { page } = await open(started, admin, { colorScheme: 'dark', viewport })
  const tile = (label: string): ReturnType<Page['locator']> => page.locator('.tile', { hasText: label }).locator('b')
  await expect.poll(async () => tile('connections refused').textContent()).toBe('1')
  const client = await started.connect()
  await expect.poll(async () => tile('clients').textContent()).toBe('1')
  await client.publishAsync('a', 'x', { qos: 1 })
  await page.getByRole('cell', { name: 'NOT_AUTHENTICATED' }).waitFor()
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
  await picture(page, 'phone')
  await page.setViewportSize({ width: 1200, height: 800 })
  await page.emulateMedia({ colorScheme: 'light' })
  await picture(page, 'overview')
  await goTo(page, 'System')
  await page.getByText('This process is the only one.').waitFor()
  await picture(page, 'system')
  await goTo(page, 'Log')
  await page.getByRole('list', { name: 'log' }).getByText('connected').first().waitFor()
  await picture(page, 'log')
})

test.skipIf(isMissing)('without the right to it, each change is refused and said so', async () => {
  const started = await StartedAdmin.start({ dashboard: true })
  const client = await started.connect({ clientId: 'stays' })
  const { page } = await open(started, 'key of a viewer, long')
  await goTo(page, 'Clients')
  await page.getByRole('link', { name: 'stays' }).click()
  for (const name of ['Disconnect', 'End session', 'Clear queue', 'Trace for 10 min']) {
    await page.getByRole('button', { name }).click()
    await page.getByText('The role of this key does not allow that').first().waitFor()
    await page.evaluate('document.getElementById("notice").replaceChildren()')
  }
  await goTo(page, 'Messages')
  await page.getByLabel('topic').fill('a')
  for (const name of ['Publish', 'Subscribe']) {
    await page.getByRole('button', { name }).click()
    await page.getByText('The role of this key does not allow that').first().waitFor()
    await page.evaluate('document.getElementById("notice").replaceChildren()')
  }
  await goTo(page, 'System')
  await page.getByRole('button', { name: 'Read the configuration again' }).click()
  await page.getByText('The role of this key does not allow that').first().waitFor()
  expect(client.connected).toBe(true)
  expect(started.broker.counters.publishesReceived).toBe(0)
})

test.skipIf(isMissing)('what clients send is never markup or script', async () => {
  const evil = '<img src=x onerror=alert(1)><svg onload=alert(2)>'
  const started = await StartedAdmin.start({ dashboard: true })
  const client = await started.connect({ clientId: `"'\`javascript:alert(3)${evil}`, username: evil, clean: false })
  await client.subscribeAsync(`${evil}/#`)
  await client.publishAsync(`${evil}/${evil}`, evil, { retain: true, qos: 1 })
  const { page, faults, hosts } = await open(started, admin)
  await goTo(page, 'Clients')
  await page.getByRole('link', { name: 'alert(3)' }).click()
  await page.getByRole('heading', { name: 'alert(3)' }).waitFor()
  await page.getByRole('button', { name: 'Trace for 10 min' }).click()
  await page.getByText('The log shows what it does.').waitFor()
  await goTo(page, 'Messages')
  await page.getByRole('button', { name: 'Subscribe' }).click()
  await page.getByRole('list', { name: 'messages' }).getByText('alert(2)').first().waitFor()
  await goTo(page, 'Topics')
  await page.getByRole('button', { name: 'onerror' }).last().click()
  await page.locator('pre', { hasText: evil }).waitFor()
  await goTo(page, 'Log')
  await page.getByRole('list', { name: 'log' }).getByText('alert(3)').first().waitFor()
  expect(await page.evaluate('document.querySelectorAll("main img, main script, main svg").length')).toBe(0)
  expect(faults).toEqual([])
  expect([...hosts]).toEqual([new URL(started.url).host])
})

test.skipIf(isMissing)('a wrong key is told, and signing in by hand works with the keyboard alone', async () => {
  const started = await StartedAdmin.start({ dashboard: true })
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(40_000)
  await page.goto(started.url)
  await page.getByLabel('key, or password').waitFor()
  await picture(page, 'sign-in')
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await page.getByText('are wrong').waitFor()
  await page.keyboard.type(admin)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: `Broker ${started.broker.id}` }).waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('key, or password').waitFor()
})
