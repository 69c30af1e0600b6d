/** The process of a broker under attack: a program that embeds it. */
import { createBroker } from '@x/broker'
import { rowNamed } from './rows.ts'

const row = rowNamed(process.argv[2] ?? '')
const broker = createBroker(row.options)
broker.on('error', error => process.stderr.write(`${error.stack ?? error.message}\n`))
await broker.ready
await row.prepare?.(broker)
const tcp = await broker.listen({ port: 0, host: '127.0.0.1' })
const websocket = await broker.listen({ port: 0, host: '127.0.0.1', websocket: true })
process.send?.({ kind: 'listening', port: tcp.port, websocketPort: websocket.port })

process.on('message', message => {
  if (message === 'counts') void tellCounts()
})

async function tellCounts(): Promise<void> {
  process.send?.({ kind: 'counts', ...(await broker.counts()) })
}
