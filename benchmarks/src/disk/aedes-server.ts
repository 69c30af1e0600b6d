// Aedes with its store on LevelDB, by its defaults: PORT DIRECTORY.
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Aedes } from 'aedes'
import persistence from 'aedes-persistence-level'
import { ClassicLevel } from 'classic-level'

const [, , port, directory = '.'] = process.argv
const level = new ClassicLevel<string, Buffer>(join(directory, 'level'))
const broker = await Aedes.createBroker({ persistence: persistence(level) })
createServer({ noDelay: true }, socket => broker.handle(socket)).listen(Number(port), '127.0.0.1')
