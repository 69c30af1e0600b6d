import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createBroker } from '@x/broker'
import type { Broker } from '@x/broker'
import { connectAsync } from 'mqtt'
import parseText from 'parse-prometheus-text-format'
import type { Family } from 'parse-prometheus-text-format'
import { expect, onTestFinished, test } from 'vitest'
import { metricTable } from '../src/metric-table.ts'
import { metrics } from '../src/index.ts'
import type { MetricsOptions } from '../src/index.ts'

interface Running {
  readonly broker: Broker
  /** Of the metrics. */
  readonly url: string
  /** Of a listener for clients. */
  readonly mqtt: string
}

async function start(options: MetricsOptions = {}): Promise<Running> {
  const plugin = metrics({ listen: { port: 0 }, ...options })
  const broker = createBroker({ id: 'b', plugins: [plugin] })
  onTestFinished(() => broker.close())
  await broker.ready
  const { url: mqtt } = await broker.listen({ port: 0, host: '127.0.0.1', name: 'door "1"' })
  return { broker, url: plugin.url ?? '', mqtt }
}

async function scrape(url: string): Promise<ReadonlyMap<string, Family>> {
  const response = await fetch(`${url}/metrics`)
  expect(response.status).toBe(200)
  const families = parseText(await response.text())
  return new Map(families.map(family => [family.name, family]))
}

/** The value of a metric, of the series with this label. */
function valueOf(families: ReadonlyMap<string, Family>, name: string, label?: string): number {
  const series = families.get(name)?.metrics ?? []
  const found =
    label === undefined ? series[0] : series.find(({ labels = {} }) => Object.values(labels).includes(label))
  return Number(found?.value)
}

/** Metrics without a series as long as nothing has happened, or there is no such part. */
const onlyWhenThere = /^mqtt_(errors_total|hook_duration_seconds|bridge_\w+|worker_\w+)$/

test('a scrape has what clients did, each value under its documented name and type', async () => {
  const { url, mqtt, broker } = await start()
  const lasting = await connectAsync(mqtt, { clientId: 'lasting', clean: false })
  await lasting.subscribeAsync('news', { qos: 1 })
  await lasting.endAsync()
  const client = await connectAsync(mqtt, { clientId: 'c' })
  await client.subscribeAsync(['a', '$share/g/b'])
  for (let count = 0; count < 3; count++) await client.publishAsync('news', 'x', { qos: 1 })
  await client.publishAsync('a', 'on', { qos: 1, retain: true })
  onTestFinished(() => client.endAsync(true))

  const families = await scrape(url)
  const value = (name: string, label?: string): number => valueOf(families, name, label)
  expect(value('mqtt_broker_info')).toBe(1)
  expect(families.get('mqtt_broker_info')?.metrics[0]?.labels).toEqual({ id: 'b', version: broker.version })
  expect(value('mqtt_clients_connected')).toBe(1)
  expect(value('mqtt_sessions_disconnected')).toBe(1)
  expect(value('mqtt_connections_accepted_total')).toBe(2)
  expect(value('mqtt_publishes_received_total', '1')).toBe(4)
  expect(value('mqtt_publishes_sent_total', '0')).toBe(1)
  expect(value('mqtt_publish_received_bytes_total')).toBe(5)
  expect(value('mqtt_publish_sent_bytes_total')).toBe(2)
  expect(value('mqtt_queued_messages')).toBe(3)
  expect(value('mqtt_retained_messages')).toBe(1)
  expect(value('mqtt_subscriptions')).toBe(3)
  expect(value('mqtt_shared_groups')).toBe(1)
  expect(value('mqtt_packets_received_total')).toBe(broker.counters.packetsReceived)
  expect(value('mqtt_received_bytes_total')).toBe(broker.counters.bytesReceived)
  expect(value('mqtt_messages_dropped_total', 'queue_full')).toBe(0)
  expect(families.get('mqtt_listener_connections')?.metrics).toEqual([{ value: '1', labels: { listener: 'door "1"' } }])
  for (const [name, { type }] of Object.entries(metricTable)) {
    if (!onlyWhenThere.test(name)) expect([name, families.get(name)?.type]).toEqual([name, type.toUpperCase()])
  }
})

test('errors of peers are counted by their code', async () => {
  const { url, mqtt } = await start()
  const { hostname, port } = new URL(mqtt)
  const socket = connect(Number(port), hostname)
  // CONNECT of MQTT 3.1.1 without Clean Session and without an identifier.
  socket.write(Buffer.from('100c00044d515454040000000000', 'hex'))
  socket.resume()
  await once(socket, 'close')
  const families = await scrape(url)
  expect(valueOf(families, 'mqtt_errors_total', 'CLIENT_ID_INVALID')).toBe(1)
  expect(valueOf(families, 'mqtt_connections_refused_total')).toBe(1)
})

test('messages are counted by their QoS, also those that go out unchanged', async () => {
  const { url, mqtt } = await start()
  const client = await connectAsync(mqtt, { clientId: 'c' })
  onTestFinished(() => client.endAsync(true))
  await client.subscribeAsync('#', { qos: 2 })
  let received = 0
  const all = new Promise<void>(resolve => {
    client.on('message', () => {
      received += 1
      if (received === 9) resolve()
    })
  })
  for (const [qos, count] of [4, 3, 2].entries()) {
    for (let index = 0; index < count; index++) await client.publishAsync('a', 'xyz', { qos: qos as 0 | 1 | 2 })
  }
  await all
  const families = await scrape(url)
  for (const direction of ['received', 'sent']) {
    const byQoS = ['0', '1', '2'].map(qos => valueOf(families, `mqtt_publishes_${direction}_total`, qos))
    expect(byQoS, direction).toEqual([4, 3, 2])
    expect(valueOf(families, `mqtt_publish_${direction}_bytes_total`)).toBe(27)
  }
})

test('how long an asynchronous hook takes is a histogram', async () => {
  const plugin = metrics({ listen: { port: 0 } })
  const broker = createBroker({ plugins: [plugin], authorizePublish: async () => Promise.resolve() })
  onTestFinished(() => broker.close())
  await broker.ready
  const { url: mqtt } = await broker.listen({ port: 0, host: '127.0.0.1' })
  const client = await connectAsync(mqtt)
  onTestFinished(() => client.endAsync(true))
  for (let count = 0; count < 5; count++) await client.publishAsync('a', 'x', { qos: 1 })
  const families = await scrape(plugin.url ?? '')
  expect(families.get('mqtt_hook_duration_seconds')?.type).toBe('HISTOGRAM')
  const text = await (await fetch(`${plugin.url}/metrics`)).text()
  const lines = text.split('\n').filter(line => line.startsWith('mqtt_hook_duration_seconds'))
  const bounds = ['0.0005', '0.001', '0.0025', '0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5']
  const buckets = [...bounds, '1', '2.5', '5', '10', String.raw`\+Inf`]
  const expected = [
    ...buckets.map(bound => `_bucket{hook="authorizePublish",le="${bound}"}`),
    '_sum{hook="authorizePublish"}',
  ]
  for (const [index, name] of expected.entries()) {
    expect(lines[index]).toMatch(new RegExp(`^mqtt_hook_duration_seconds${name} [0-9.e-]+$`))
  }
  expect(lines.slice(buckets.length - 1).map(line => line.split(' ')[1])).toEqual(['5', expect.anything(), '5'])
})

test('each bridge has its series', async () => {
  const far = createBroker()
  onTestFinished(() => far.close())
  const { url: remote } = await far.listen({ port: 0, host: '127.0.0.1' })
  const near = createBroker({
    metrics: { listen: { port: 0 } },
    bridges: [{ name: 'up', addresses: remote, topics: [{ filter: 'up/#', direction: 'out' }] }],
  })
  onTestFinished(() => near.close())
  await near.ready
  const { url: mqtt } = await near.listen({ port: 0, host: '127.0.0.1' })
  const watcher = await connectAsync(remote)
  onTestFinished(() => watcher.endAsync(true))
  await watcher.subscribeAsync('up/#')
  const arrived = new Promise(resolve => watcher.once('message', resolve))
  const publisher = await connectAsync(mqtt)
  onTestFinished(() => publisher.endAsync(true))
  const [status] = near.bridges
  await expect.poll(() => status?.state).toBe('connected')
  await publisher.publishAsync('up/x', 'four', { qos: 1 })
  await arrived
  const families = await scrape(near.metrics?.url ?? '')
  expect(families.get('mqtt_bridge_connected')?.metrics).toEqual([{ value: '1', labels: { bridge: 'up' } }])
  expect(valueOf(families, 'mqtt_bridge_messages_total', 'out')).toBe(1)
  expect(valueOf(families, 'mqtt_bridge_bytes_total', 'out')).toBe(4)
  expect(valueOf(families, 'mqtt_bridge_messages_total', 'in')).toBe(0)
  expect(families.get('mqtt_bridge_dropped_total')?.metrics).toHaveLength(6)
})

test('a scrape that comes while another is under way has the same values, and both are whole', async () => {
  const { url } = await start()
  const [first, second] = await Promise.all([scrape(url), scrape(url)])
  expect([...first.keys()]).toEqual([...second.keys()])
  expect(valueOf(second, 'mqtt_broker_info')).toBe(1)
})

test('OpenMetrics is given to those that ask for it', async () => {
  const { url } = await start()
  const accept = 'application/openmetrics-text; version=1.0.0,text/plain;q=0.5'
  const response = await fetch(`${url}/metrics`, { headers: { accept } })
  expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=1\.0\.0/)
  const text = await response.text()
  expect(text).toMatch(/# EOF\n$/)
  expect(text).toContain('# TYPE mqtt_publishes_received counter')
  expect(text).toContain('mqtt_publishes_received_total{qos="0"} 0')
  expect(text).toContain('mqtt_store_duration_seconds_count 0')
  expect(text).toContain('nodejs_eventloop_lag_seconds')
})

test('a scrape lists no sockets, which would take longer with each client', async () => {
  const { url } = await start()
  const names = [...(await scrape(url)).keys()]
  expect(names).toContain('process_resident_memory_bytes')
  expect(names.filter(name => /active|open_fds/.test(name))).toEqual([])
})

test('the process is left out when that is wanted', async () => {
  const { url } = await start({ process: false })
  const names = [...(await scrape(url)).keys()]
  expect(names.filter(name => !name.startsWith('mqtt_'))).toEqual([])
})

test('only the three paths are there, and only for reading', async () => {
  const { url } = await start()
  expect((await fetch(`${url}/`)).status).toBe(404)
  expect((await fetch(`${url}/metrics/x`)).status).toBe(404)
  expect((await fetch(`${url}/metrics?name=x`)).status).toBe(200)
  const post = await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('a program serves them on a port of its own', async () => {
  const plugin = metrics({ listen: false })
  const server = createServer(plugin.handler).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect((await fetch(`${url}/metrics`)).status).toBe(503)
  expect((await fetch(`${url}/health/ready`)).status).toBe(503)
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  const broker = createBroker({ plugins: [plugin] })
  await broker.ready
  expect((await fetch(`${url}/metrics`)).status).toBe(200)
  await broker.close()
  const afterwards = await fetch(`${url}/health/ready`)
  expect([afterwards.status, await afterwards.json()]).toEqual([
    503,
    { status: 'down', reasons: ['the broker is not open'] },
  ])
})

test('a port that is taken fails the start, with the address', async () => {
  const { url } = await start()
  const port = Number(new URL(url).port)
  const broker = createBroker({ plugins: [metrics({ listen: { port } })] })
  broker.on('error', () => undefined)
  onTestFinished(() => broker.close())
  await expect(broker.ready).rejects.toMatchObject({
    code: 'METRICS_LISTEN_FAILED',
    message: expect.stringContaining(`metrics can't be served on 127.0.0.1:${port}: `) as string,
  })
})

test('metrics are of one broker at a time', async () => {
  const plugin = metrics({ listen: false })
  const first = createBroker({ id: 'first', plugins: [plugin] })
  await first.ready
  const second = createBroker({ plugins: [plugin] })
  second.on('error', () => undefined)
  await expect(second.ready).rejects.toMatchObject({
    code: 'METRICS_ATTACHED',
    message: 'these metrics are of broker first already',
  })
  await first.close()
  await second.close()
  const third = createBroker({ plugins: [plugin] })
  await third.ready
  await third.close()
})

test('the port is closed with the broker', async () => {
  const { broker, url } = await start()
  await fetch(`${url}/metrics`)
  await broker.close()
  await expect(fetch(`${url}/metrics`)).rejects.toThrow()
})

test.each([
  [{ listen: true }, 'option listen is true, it must be false, or an object with host and port (0 to 65535)'],
  [{ listen: { port: 70_000 } }, 'option listen is an object, it must be false'],
  [{ listen: { prt: 1 } }, 'option listen is an object, it must be false'],
  [{ listen: { host: '' } }, 'option listen is an object, it must be false'],
  [{ process: 'no' }, "option process is 'no', it must be true or false"],
  [{ storeTimeout: 1 }, 'option storeTimeout is 1, it must be a whole number from 10 to 60000'],
  [{ readiness: [] }, 'option readiness is an empty list, it must be a function'],
  [{ lisen: false }, 'option lisen of metrics is unknown (it is false); did you mean listen?'],
])('the options %j are refused at once', (options, message) => {
  expect(() => metrics(options as MetricsOptions)).toThrow(message)
})
