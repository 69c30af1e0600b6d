import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { protocolDecoder } from '@x/protocol-decoder'
import type { BrokerOptions, ListenOptions } from '../src/index.ts'
import { StartedProcess } from './started-command.ts'
import { exchange, nextClient, openWay } from './ways-in.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const isMissing = process.env['CI'] !== 'true' && spawnSync('haproxy', ['-v']).error !== undefined

/** HAProxy in front of a port; returns its own one. */
async function startHaproxy(backend: number, send: string, mode: 'tcp' | 'http'): Promise<number> {
  const directory = temporaryFolder()
  const port = await freePort()
  const file = join(directory, 'haproxy.cfg')
  const lines = [
    'defaults',
    `  mode ${mode}`,
    '  timeout connect 5s',
    '  timeout client 60s',
    '  timeout server 60s',
    '  timeout tunnel 60s',
    'listen mqtt',
    `  bind 127.0.0.1:${port}`,
    ...(mode === 'http' ? ['  option forwardfor'] : []),
    `  server broker 127.0.0.1:${backend} ${send}`,
    '',
  ]
  writeFileSync(file, lines.join('\n'))
  const haproxy = new StartedProcess('haproxy', ['-f', file, '-db'])
  onTestFinished(() => haproxy.stop())
  return port
}

/** MQTT.js tries until HAProxy listens. */
async function through(port: number, scheme: string): Promise<void> {
  await expect
    .poll(() =>
      exchange(`${scheme}://127.0.0.1:${port}`).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
}

const trusting: BrokerOptions = { trustProxy: true, trustedProxies: ['127.0.0.1'] }

test.skipIf(isMissing).for<[string, ListenOptions, 'tcp' | 'http', string, object]>([
  ['send-proxy', {}, 'tcp', 'mqtt', { isProxy: 1, isWebsocket: false }],
  ['send-proxy-v2', {}, 'tcp', 'mqtt', { isProxy: 2, isWebsocket: false }],
  ['send-proxy-v2', { protocols: ['mqtt', 'ws'] }, 'tcp', 'ws', { isProxy: 2, isWebsocket: true }],
  ['', { websocket: true }, 'http', 'ws', { isProxy: 3, isWebsocket: true }],
])('HAProxy with "%s" to %j, %s', async ([send, options, mode, scheme, details]) => {
  const { broker, port } = await openWay(options, trusting)
  const front = await startHaproxy(port, send, mode)
  const ready = nextClient(broker)
  await through(front, scheme)
  expect((await ready).connDetails).toMatchObject({ ...details, ipAddress: '127.0.0.1', ipFamily: 4 })
})

test.skipIf(isMissing).for(['send-proxy', 'send-proxy-v2'])(
  'HAProxy with %s to a broker with the hook decodeProtocol',
  async send => {
    const { broker, port } = await openWay({}, { ...trusting, decodeProtocol: protocolDecoder })
    const front = await startHaproxy(port, send, 'tcp')
    const ready = nextClient(broker)
    await through(front, 'mqtt')
    expect((await ready).connDetails).toMatchObject({ isProxy: send === 'send-proxy' ? 1 : 2, serverPort: front })
  },
)
