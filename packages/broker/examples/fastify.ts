// MQTT over WebSocket at /mqtt of a Fastify application; who has no session cookie is not let in. PORT: where to listen.
import type { IncomingMessage } from 'node:http'
import { createBroker } from '@x/broker'
import { WebSocketTransport } from '@x/transport-ws'
import { fastify } from 'fastify'

const { PORT = '8080' } = process.env

const app = fastify()
app.get('/', () => ({ clients: broker.connectedClients }))

const broker = createBroker({
  authenticate: client => (client.req as IncomingMessage).headers.cookie?.includes('session=') === true,
})
new WebSocketTransport(broker.handle, { path: '/mqtt' }).attach(app.server)
const url = await app.listen({ port: Number(PORT), host: '127.0.0.1' })
console.log(`listening on ${url}`)
