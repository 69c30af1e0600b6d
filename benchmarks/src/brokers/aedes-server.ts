// Aedes with its default options behind the servers its README shows, without Nagle's delay, as the others have it:
// PORT tcp | ws | tls CERT KEY.
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Aedes } from 'aedes'
import { WebSocketServer, createWebSocketStream } from 'ws'

const [, , port, transport, cert = '', key = ''] = process.argv
const broker = await Aedes.createBroker()

function serve(): Server {
  if (transport === 'tls') {
    const options = { cert: readFileSync(cert), key: readFileSync(key), noDelay: true }
    return createTlsServer(options, socket => broker.handle(socket))
  }
  if (transport !== 'ws') return createServer({ noDelay: true }, socket => broker.handle(socket))
  const server = createHttpServer()
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    broker.handle(createWebSocketStream(socket), request)
  })
  return server
}

serve().listen(Number(port), '127.0.0.1')
