// A broker on TLS that reads a renewed certificate without dropping anybody. PORT: where to listen; KEY and CERT: files in PEM.
import { readFileSync } from 'node:fs'
import { createBroker } from '@x/broker'

const { PORT = '8883', KEY = 'key.pem', CERT = 'cert.pem' } = process.env
const readFiles = (): { key: Buffer; cert: Buffer } => ({ key: readFileSync(KEY), cert: readFileSync(CERT) })

const broker = createBroker()
const listening = await broker.listen({ port: Number(PORT), tls: readFiles() })
process.on('SIGHUP', () => {
  listening.reloadTls(readFiles())
  console.log('certificate renewed')
})
console.log(`listening on ${listening.url}`)
