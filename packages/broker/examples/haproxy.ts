// Behind HAProxy, which says by a PROXY header whose connection it is. PORT: where to listen. See haproxy.cfg.
import { createBroker } from '@x/broker'

const { PORT = '1884' } = process.env

const broker = createBroker({ trustProxy: true, trustedProxies: ['127.0.0.1'] })
broker.on('client', client => {
  const { ipAddress, port } = client.connDetails ?? {}
  console.log(`${client.id} comes from ${ipAddress}:${port}`)
})
const { url } = await broker.listen({ port: Number(PORT), host: '127.0.0.1', protocols: ['mqtt', 'ws'] })
console.log(`listening on ${url}`)
