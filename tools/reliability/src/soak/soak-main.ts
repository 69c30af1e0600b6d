/** The process of the broker: all ways in, statistics, and its own figures when its parent asks. */
import { createBroker, sysTopics } from '@x/broker'
import { makeCertificate } from '../wire/certificate.ts'

/** ms between two looks at the statistics. */
const interval = 500

const tls = makeCertificate()
const host = '127.0.0.1'
const broker = createBroker({
  plugins: [sysTopics({ interval, trees: ['broker'] })],
  metrics: { listen: { port: 0 } },
  maximumSessionExpiryInterval: 30,
})
const failures: string[] = []
for (const event of ['error', 'clientError', 'connectionError', 'connectionRefused'] as const) {
  broker.on(event, (...values: unknown[]) => {
    const error = values.find(value => value instanceof Error)
    failures.push(`${event}: ${error?.message}`)
  })
}
/** Clients of MQTT 5.0 that were told, by a DISCONNECT of three bytes, that another connection has their identifier. */
const toldOfTakeOver: string[] = []
broker.on('clientDisconnect', (client, reason) => {
  if (reason === 'takeOver' && client.version === 5) toldOfTakeOver.push(client.id)
})
await broker.ready
const [tcp, secure, ws, wss] = await Promise.all([
  broker.listen({ port: 0, host }),
  broker.listen({ port: 0, host, tls }),
  broker.listen({ port: 0, host, websocket: true }),
  broker.listen({ port: 0, host, websocket: true, tls }),
])

process.on('message', message => {
  if (message === 'look') void look()
  if (message === 'close') void close()
})

async function look(): Promise<void> {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const handles = process.getActiveResourcesInfo().length
  const counts = await broker.counts()
  const { counters } = broker
  process.send?.({ kind: 'look', heapUsed, rss, handles, counters, counts, failures, toldOfTakeOver })
}

async function close(): Promise<void> {
  await broker.close()
  process.disconnect()
}

const ports = { tcp: tcp.port, tls: secure.port, ws: ws.port, wss: wss.port }
process.send?.({ kind: 'listening', ways: { ports, ca: tls.cert }, metricsUrl: broker.metrics?.url })
