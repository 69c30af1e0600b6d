// A broker on TLS. PORT: where to listen; KEY and CERT: files in PEM.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { Aedes } from '@x/broker'

const { PORT = '8883', KEY = 'key.pem', CERT = 'cert.pem' } = process.env

const broker = await Aedes.createBroker()
const server = createServer({ key: readFileSync(KEY), cert: readFileSync(CERT) }, broker.handle)

server.listen(Number(PORT), () => {
  console.log('server started and listening on', server.address())
})
