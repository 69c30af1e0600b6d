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
  expect(value('mqtt_publishes_received_total')).toBe(4)
  expect(value('mqtt_publishes_sent_total')).toBe(1)
  expect(value('mqtt_queued_messages')).toBe(3)
  expect(value('mqtt_retained_messages')).toBe(1)
  expect(value('mqtt_subscriptions')).toBe(3)
  expect(value('mqtt_shared_groups')).toBe(1)
  expect(value('mqtt_packets_received_total')).toBe(broker.counters.packetsReceived)
  expect(value('mqtt_received_bytes_total')).toBe(broker.counters.bytesReceived)
  expect(value('mqtt_messages_dropped_total', 'queue_full')).toBe(0)
  expect(families.get('mqtt_listener_connections')?.metrics).toEqual([{ value: '1', labels: { listener: 'door "1"' } }])
  for (const [name, { type }] of Object.entries(metricTable)) {
    if (name !== 'mqtt_errors_total') expect([name, families.get(name)?.type]).toEqual([name, type.toUpperCase()])
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
  expect(text).toContain('mqtt_publishes_received_total 0')
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
