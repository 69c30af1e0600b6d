// The first example of Aedes: a broker on TCP, by the callback style. PORT: where to listen.
import { createServer } from 'node:net'
import aedes from '@x/broker'

const broker = aedes()
const server = createServer(broker.handle)

server.listen(Number(process.env['PORT'] ?? 1883), () => {
  console.log('server started and listening on', server.address())
})

broker.on('subscribe', (subscriptions, client) => {
  console.log(`${client.id} subscribes to ${subscriptions.map(({ topic }) => topic).join()}`)
})
broker.on('publish', (packet, client) => {
  if (client) console.log(`${client.id} publishes ${packet.payload.toString()} on ${packet.topic}`)
})
