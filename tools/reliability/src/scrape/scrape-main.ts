/** The process of the broker: retained messages, `/metrics`, and a meter of its turns. */
import { createBroker } from '@x/broker'
import { TurnMeter } from '../measure/turn-meter.ts'

const retained = Number(process.argv[2])
const broker = createBroker({ metrics: { listen: { port: 0 } } })
await broker.ready
for (let index = 0; index < retained; index += 1) {
  await broker.publish({ topic: `house/${index % 1000}/sensor/${index}`, payload: 'x'.repeat(16), retain: true })
}
const { port } = await broker.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
const meter = new TurnMeter()
meter.start()

process.on('message', message => {
  if (message === 'begin') {
    globalThis.gc?.()
    meter.reset()
    process.send?.({ kind: 'begun' })
  }
  if (message === 'read') process.send?.({ kind: 'turns', ...meter.read() })
})
process.send?.({ kind: 'listening', port, url: broker.metrics?.url })
