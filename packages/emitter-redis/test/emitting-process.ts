/** A broker of its own process, as far as the emitter knows: has a route of `a` and says so, and ends when it is killed.
 *
 *   node --import tsx --conditions=@x/source emitting-process.ts URL */
import { Broker } from './network.ts'

const broker = new Broker('dying', { redis: process.argv[2] ?? '' })
await broker.emitter.open(broker)
await broker.emitter.addRoute('a')
await broker.emitter.addRoute('$share/g/b')
process.stdout.write('ready\n')
setInterval(() => undefined, 60_000)
