import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../tools/testing/free-port.ts'

const version = spawnSync('mongod', ['--version'], { encoding: 'utf8' })

/** Why there is no MongoDB to test with; undefined: there is one. Debian has none, so CI does without. */
export const mongodbMissing: string | undefined = version.error === undefined ? undefined : 'mongod is missing'

/** Why there is none whose cursors wait for what is inserted later. FerretDB ends them with the first batch that is not full. */
export const tailableMissing: string | undefined =
  mongodbMissing ?? (version.stdout.includes('FerretDB') ? 'FerretDB is not enough' : undefined)

/** ms within which a server that starts has to listen. */
const startLimit = 20_000

export interface MongodbServer {
  /** The address of a database that nobody has used yet. */
  newDatabase(): string
  stop(): Promise<void>
}

/** A MongoDB of its own, in a directory that goes with it. */
export async function startMongodb(): Promise<MongodbServer> {
  const directory = mkdtempSync(join(tmpdir(), 'compat-mongodb-'))
  const port = await freePort()
  const child = spawn('mongod', ['--dbpath', directory, '--port', `${port}`, '--bind_ip', '127.0.0.1'], {
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  await listening(port)
  let databases = 0
  return {
    newDatabase: () => `mongodb://127.0.0.1:${port}/compat${(databases += 1)}`,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(directory, { recursive: true })
    },
  }
}

async function listening(port: number): Promise<void> {
  const latest = Date.now() + startLimit
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (Date.now() > latest) throw error
      await new Promise(resolve => {
        setTimeout(resolve, 20)
      })
    } finally {
      socket.destroy()
    }
  }
}
