// Everything on one port: MQTT and WebSocket, with TLS and without. PORT: where to listen; KEY and CERT: files in PEM.
import { readFileSync } from 'node:fs'
import { createBroker } from '@x/broker'

const { PORT = '1883', KEY = 'key.pem', CERT = 'cert.pem' } = process.env

const broker = createBroker()
const { url } = await broker.listen({
  port: Number(PORT),
  protocols: ['mqtt', 'mqtts', 'ws', 'wss'],
  path: '/mqtt',
  tls: { key: readFileSync(KEY), cert: readFileSync(CERT) },
})
console.log(`listening on ${url}`)
