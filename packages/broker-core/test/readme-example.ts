import { createServer } from 'node:net'
import { Broker } from '../src/index.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'

const broker = new Broker({
  persistence: new MemoryPersistence(),
  authenticate: (_client, username, password) => username === 'ann' && password?.toString() === 'secret',
})

// A function of this program receives what clients publish; their acknowledgements wait for it.
await broker.subscribe('lamp/+/set', async packet => {
  await broker.publish({ topic: packet.topic.replace('/set', ''), payload: packet.payload, qos: 1, retain: true })
})
broker.on('clientDisconnect', client => console.log(`${client.id} has left`))

const server = createServer(broker.handle)
server.listen(0)

export { broker, server }
