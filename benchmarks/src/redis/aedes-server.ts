// Aedes with its store and emitter for Redis, by their defaults: PORT REDIS-PORT.
import { createServer } from 'node:net'
import { Aedes } from 'aedes'
import persistence from 'aedes-persistence-redis'
import emitter from 'mqemitter-redis'

const [, , port, redisPort] = process.argv
const redis = { host: '127.0.0.1', port: Number(redisPort) }
const broker = await Aedes.createBroker({
  // Brokers on one Redis need names of their own.
  id: `aedes-${process.pid}`,
  persistence: persistence(redis),
  mq: emitter(redis),
})
createServer({ noDelay: true }, socket => broker.handle(socket)).listen(Number(port), '127.0.0.1')
