// A broker on TCP, for this machine alone. PORT: where to listen.
import { createBroker } from '@x/broker'

const { PORT = '1883' } = process.env

const broker = createBroker()
const { url } = await broker.listen({ port: Number(PORT), host: '127.0.0.1' })
console.log(`listening on ${url}`)
