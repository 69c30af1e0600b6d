// One of two brokers that share a Redis, behind HAProxy: start it twice. PORT: where to listen. REDIS: the URL. See cluster.cfg.
import { createBroker } from '@x/broker'

const { PORT = '1884', REDIS = 'redis://127.0.0.1:6379' } = process.env

const broker = createBroker({ redis: REDIS, trustProxy: true, trustedProxies: ['127.0.0.1'] })
broker.on('error', error => console.error(error.message))
broker.on('clientReady', client => console.log(`${client.id} is here`))
const { url } = await broker.listen({ port: Number(PORT), host: '127.0.0.1' })
console.log(`listening on ${url}`)
