import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { StoreConfig } from '../config/schema.ts'
import type { WorkerPlace } from './worker-messages.ts'

/** Files in memory, where the system has such. */
const memoryFiles = '/dev/shm'
const prefix = 'x-broker-'
/** The primary listens there, and says nothing: it shows that the files are in use, also to those who can't see its process. */
const mark = 'primary.sock'
/** ms: a primary that has just made its socket may not listen yet. */
const secondLook = 100

/** The files of all workers that are there while they run: sockets of the mesh, and what is in memory otherwise. */
export class SharedFiles {
  readonly #directories: string[] = []
  readonly #marks: Server[] = []

  /** Where the workers have their store and their mesh. Removes what primaries have left behind that were killed.
   * @throws Error of Node, when there is no place for temporary files */
  async placeFor(store: StoreConfig): Promise<Pick<WorkerPlace, 'store' | 'mesh'>> {
    const inMemory = isDirectory(memoryFiles) ? memoryFiles : tmpdir()
    await Promise.all([...new Set([tmpdir(), inMemory])].map(removeLeftovers))
    return {
      // It is gone with the machine's memory anyway.
      store: store.memory === true ? { data: await this.#directory(inMemory, 'data'), durability: 'process' } : store,
      mesh: store.redis === undefined ? await this.#directory(tmpdir(), 'mesh') : undefined,
    }
  }

  remove(): void {
    for (const server of this.#marks) server.close()
    for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true })
  }

  async #directory(place: string, name: string): Promise<string> {
    const made = mkdtempSync(join(place, prefix))
    this.#directories.push(made)
    if (process.platform !== 'win32') this.#marks.push(await listen(join(made, mark)))
    const directory = join(made, name)
    mkdirSync(directory)
    return directory
  }
}

/** Removes directories whose primary does not listen any more. One without a mark may be anybody's. */
async function removeLeftovers(place: string): Promise<void> {
  const directories = readdirSync(place)
    .filter(name => name.startsWith(prefix))
    .map(name => join(place, name))
  await Promise.all(directories.map(removeUnused))
}

async function removeUnused(directory: string): Promise<void> {
  for (const pause of [0, secondLook]) {
    await wait(pause)
    if (!(await isRefused(join(directory, mark)))) return
  }
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch {
    // It is another user's, or another primary removes it, too.
  }
}

/** Whether there is a socket, and nobody listens. */
async function isRefused(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', error => resolve('code' in error && error.code === 'ECONNREFUSED'))
  })
}

async function listen(path: string): Promise<Server> {
  const server = createServer(socket => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return server.unref()
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
