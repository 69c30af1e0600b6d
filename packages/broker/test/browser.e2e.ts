import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { openWay } from './ways-in.ts'

const executablePath = '/usr/bin/chromium'
const isMissing = process.env['CI'] !== 'true' && spawnSync(executablePath, ['--version']).error !== undefined
const library = join(dirname(createRequire(import.meta.url).resolve('mqtt/package.json')), 'dist/mqtt.min.js')

const page = `<!doctype html><title>connecting</title><script src="/mqtt.js"></script><script>
  const client = mqtt.connect(new URLSearchParams(location.search).get('broker'), { protocolVersion: 5 })
  client.on('message', (topic, payload) => { document.title = topic + ': ' + payload })
  client.on('connect', () => client.subscribe('page', { qos: 1 }, () => client.publish('page', 'hello from a page', { qos: 1 })))
  client.on('error', error => { document.title = 'error: ' + error.message })
  client.on('close', () => { if (document.title === 'connecting') document.title = 'closed' })
</script>`

/** Title of the page when it is done. */
async function titleOf(broker: string, server: string): Promise<string> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const tab = await browser.newPage()
  await tab.goto(`${server}/?broker=${encodeURIComponent(broker)}`)
  await tab.waitForFunction('document.title !== "connecting"')
  return tab.title()
}

async function servePage(): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', request.url === '/mqtt.js' ? 'text/javascript' : 'text/html')
    response.end(request.url === '/mqtt.js' ? readFileSync(library) : page)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.skipIf(isMissing)('a page in Chromium publishes and receives', async () => {
  const server = await servePage()
  const { broker, listening } = await openWay({ protocols: ['ws', 'mqtt'], path: '/mqtt', origins: [server] })
  const published: string[] = []
  broker.on('publish', packet => packet.topic === 'page' && published.push(packet.payload.toString()))
  expect(await titleOf(listening.url, server)).toBe('page: hello from a page')
  expect(published).toEqual(['hello from a page'])
})

test.skipIf(isMissing)('a page of another origin is refused', async () => {
  const server = await servePage()
  const { listening, refusals } = await openWay({ websocket: true, path: '/mqtt', origins: ['https://example.org'] })
  expect(await titleOf(listening.url, server)).toBe('closed')
  expect(refusals[0]).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' })
})
