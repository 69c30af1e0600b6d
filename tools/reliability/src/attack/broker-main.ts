/** The process of a broker under attack: a program that embeds it. */
import { createBroker } from '@x/broker'
import { makeCertificate } from '../wire/certificate.ts'
import { rowNamed } from './rows.ts'

const row = rowNamed(process.argv[2] ?? '')
const broker = createBroker(row.options)
broker.on('error', error => process.stderr.write(`${error.stack ?? error.message}\n`))
await broker.ready
await row.prepare?.(broker)
const host = '127.0.0.1'
const tcp = await broker.listen({ port: 0, host })
const tls = await broker.listen({ port: 0, host, tls: makeCertificate() })
const websocket = await broker.listen({ port: 0, host, websocket: true })
process.send?.({ kind: 'listening', ports: { tcp: tcp.port, tls: tls.port, websocket: websocket.port } })

process.on('message', message => {
  if (message === 'counts') void tellCounts()
})

async function tellCounts(): Promise<void> {
  process.send?.({ kind: 'counts', ...(await broker.counts()) })
}
