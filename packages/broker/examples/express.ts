// MQTT over WebSocket at /mqtt of an Express application. PORT: where to listen.
import { createServer } from 'node:http'
import { createBroker } from '@x/broker'
import { WebSocketTransport } from '@x/transport-ws'
import express from 'express'

const { PORT = '8080' } = process.env

const app = express()
app.get('/', (_request, response) => {
  response.send(`${broker.connectedClients} clients`)
})

const broker = createBroker()
const server = createServer(app)
new WebSocketTransport(broker.handle, { path: '/mqtt' }).attach(server)
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}`))
