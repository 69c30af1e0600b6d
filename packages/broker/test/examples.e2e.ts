import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClientProxyFactory, Transport } from '@nestjs/microservices'
import { hasRedisServer, spawnRedis } from '@x/redis-connection/testing'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { firstValueFrom } from 'rxjs'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from './certificates.ts'
import { signIn } from './scram-client.ts'
import { startExample } from './start-example.ts'
import { StartedProcess, packageFolder } from './started-command.ts'
import { exchange } from './ways-in.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const authority = new Authority()
afterAll(() => authority.remove())

test('tcp.ts', async () => {
  const { port } = await startExample('tcp')
  await exchange(`mqtt://127.0.0.1:${port}`)
})

test('scram-sha-256.ts lets in those who prove that they know the password', async () => {
  const { port, program } = await startExample('scram-sha-256')
  const { client } = await signIn(port, { name: 'ada', password: 'correct horse battery staple' })
  await program.line(/^c is ada$/)
  await client.ping()
  await expect(exchange(`mqtt://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 5 })
})

test('express.ts serves its pages and MQTT', async () => {
  const { port } = await startExample('express')
  await exchange(`ws://127.0.0.1:${port}/mqtt`)
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('1 clients')
})

test('fastify.ts serves its pages, and MQTT to those with a session', async () => {
  const { port } = await startExample('fastify')
  const url = `ws://127.0.0.1:${port}/mqtt`
  await exchange(url, { wsOptions: { headers: { Cookie: 'session=1' } } })
  await expect(exchange(url)).rejects.toMatchObject({ code: 5 })
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).json()).toEqual({ clients: 1 })
})

test('nestjs/main.ts hears devices, tells them of alarms, and answers other services', async () => {
  const { port, program } = await startExample('nestjs/main', { TSX_TSCONFIG_PATH: 'examples/nestjs/tsconfig.json' })
  const url = `mqtt://127.0.0.1:${port}`
  const device = await exchange(url)
  await device.subscribeAsync('alarms/+')
  const alarms: [topic: string, message: unknown][] = []
  device.on('message', (topic, payload) => alarms.push([topic, JSON.parse(payload.toString())]))
  // The application listens before its own subscription is acknowledged.
  await expect
    .poll(async () => {
      for (const celsius of ['20', '31.5']) await device.publishAsync('sensors/kitchen/temperature', celsius)
      return alarms[0]
    })
    .toEqual(['alarms/kitchen', { pattern: 'alarms/kitchen', data: 31.5 }])

  const service = ClientProxyFactory.create({ transport: Transport.MQTT, options: { url } })
  onTestFinished(() => service.close())
  expect(await firstValueFrom(service.send('fahrenheit', 20))).toBe(68)
  program.signal('SIGTERM')
  expect(await program.exited).toMatchObject({ signal: 'SIGTERM' })
})

/** HAProxy with an example's configuration, its ports replaced; answers where clients connect. */
async function startProxy(example: string, ports: Readonly<Record<string, number>>): Promise<string> {
  const front = await freePort()
  const directory = temporaryFolder()
  const file = join(directory, 'haproxy.cfg')
  let configuration = readFileSync(join(packageFolder, `examples/${example}.cfg`), 'utf8')
  for (const [from, to] of Object.entries({ 1883: front, ...ports })) {
    configuration = configuration.replace(`:${from}`, `:${to}`)
  }
  writeFileSync(file, configuration)
  const haproxy = new StartedProcess('haproxy', ['-f', file, '-db'])
  onTestFinished(() => haproxy.stop())
  return `mqtt://127.0.0.1:${front}`
}

const lacksProxy = process.env['CI'] !== 'true' && spawnSync('haproxy', ['-v']).error !== undefined

describe.skipIf(lacksProxy)('with HAProxy (apt-get install haproxy)', () => {
  const come = (url: string, options: IClientOptions): Promise<boolean> =>
    exchange(url, options).then(
      () => true,
      () => false,
    )

  test('haproxy.ts behind haproxy.cfg knows where clients come from', async () => {
    const { port, program } = await startExample('haproxy')
    const url = await startProxy('haproxy', { 1884: port })
    await expect.poll(() => come(url, { clientId: 'kitchen' })).toBe(true)
    await program.line(/^kitchen comes from 127\.0\.0\.1:\d+$/)
  })

  test.skipIf(!hasRedisServer())('cluster.ts twice behind cluster.cfg is one broker to its clients', async () => {
    const redis = await spawnRedis()
    onTestFinished(() => redis.stop())
    const [one, two] = [
      await startExample('cluster', { REDIS: redis.url }),
      await startExample('cluster', { REDIS: redis.url }),
    ]
    const url = await startProxy('cluster', { 1884: one.port, 1885: two.port })
    await expect.poll(() => come(url, {})).toBe(true)

    // HAProxy deals them out in turn.
    const clients = await Promise.all(['first', 'second'].map(clientId => exchange(url, { clientId })))
    await Promise.all([one.program.line(/^(first|second) is here$/), two.program.line(/^(first|second) is here$/)])
    const [first, second] = clients as [MqttClient, MqttClient]
    await first.subscribeAsync('news', { qos: 1 })
    const heard = new Promise<string>(resolve => {
      first.on('message', (topic, payload) => topic === 'news' && resolve(payload.toString()))
    })
    await second.publishAsync('news', 'from the other one', { qos: 1 })
    expect(await heard).toBe('from the other one')

    // Whichever broker goes, a session goes on at the other.
    const options = { clientId: 'stays', clean: false }
    await (await exchange(url, options)).endAsync()
    await two.program.stop()
    const again = async (): Promise<boolean> => {
      const client = await connectAsync(url, { ...options, reconnectPeriod: 0, connectTimeout: 2000 }, false).catch(
        () => undefined,
      )
      if (client === undefined) return false
      await client.endAsync()
      return one.program.lines.filter(line => line === 'stays is here').length > 0
    }
    await expect.poll(again).toBe(true)
  })
})

describe.skipIf(!authority.works)('with openssl', () => {
  const server = authority.sign('localhost')
  const { ca } = authority
  const files = { KEY: server.keyFile, CERT: server.certFile, CA: authority.caFile }

  test('tls.ts reads a renewed certificate', async () => {
    const { port, program } = await startExample('tls', files)
    await exchange(`mqtts://localhost:${port}`, { ca })
    program.signal('SIGHUP')
    await program.line(/certificate renewed/)
    await exchange(`mqtts://localhost:${port}`, { ca })
  })

  test('mutual-tls.ts lets each client publish below its name', async () => {
    const { port } = await startExample('mutual-tls', files)
    const { cert, key } = authority.sign('sensor-7')
    const client = await exchange(`mqtts://localhost:${port}`, {
      ca,
      cert,
      key,
      protocolVersion: 5,
      clientId: 'x',
      properties: { sessionExpiryInterval: 0 },
    }).catch((error: unknown) => error)
    // What `exchange` publishes is not below sensor-7/.
    expect(String(client)).toContain('Not authorized')
  })

  test('one-port.ts takes everything', async () => {
    const { port } = await startExample('one-port', files)
    for (const scheme of ['mqtt', 'mqtts', 'ws', 'wss']) await exchange(`${scheme}://localhost:${port}/mqtt`, { ca })
  })
})
