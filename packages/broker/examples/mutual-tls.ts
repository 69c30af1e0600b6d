// Clients show a certificate, and its Common Name is who they are: each may publish below its own name alone.
// PORT: where to listen; KEY, CERT and CA: files in PEM.
import { readFileSync } from 'node:fs'
import { createBroker } from '@x/broker'

const { PORT = '8883', KEY = 'key.pem', CERT = 'cert.pem', CA = 'ca.pem' } = process.env

const broker = createBroker({
  authorizePublish: (client, packet) => {
    const name = client?.identity ?? ''
    if (!packet.topic.startsWith(`${name}/`)) throw new Error(`${name} may not publish to ${packet.topic}`)
  },
})
const { url } = await broker.listen({
  port: Number(PORT),
  tls: {
    key: readFileSync(KEY),
    cert: readFileSync(CERT),
    ca: readFileSync(CA),
    requestCert: true,
    identityAsUsername: true,
  },
})
console.log(`listening on ${url}`)
