// Aedes with its default options behind a TCP server without Nagle's delay, as the others have it; the port is the only argument.
import { createServer } from 'node:net'
import { Aedes } from 'aedes'

const broker = await Aedes.createBroker()
createServer({ noDelay: true }, socket => broker.handle(socket)).listen(Number(process.argv[2]), '127.0.0.1')
