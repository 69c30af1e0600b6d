/** A broker of its own process, as far as its emitter knows: has routes and says so, publishes each line that it reads, and says when
 * that is answered.
 *
 *   node --import tsx --conditions=@x/source meshed-process.ts ID OPTIONS */
import { createInterface } from 'node:readline'
import { MeshedBroker } from './meshed-broker.ts'

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const [, , id = '', options = ''] = process.argv
const broker = new MeshedBroker(id, JSON.parse(options))
broker.reported = code => say(`! ${code}`)
await broker.emitter.open(broker)
await broker.emitter.addRoute('a')
await broker.emitter.addRoute('$share/g/b')
createInterface({ input: process.stdin }).on('line', line => {
  broker.publish(line).then(
    () => say('done'),
    (error: unknown) => say(String(error)),
  )
})
say('ready')
