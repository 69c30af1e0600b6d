import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** A redis-server (or several) that a test has started. */
export interface SpawnedRedis {
  readonly url: string
  readonly port: number
  /** The first process. */
  readonly process: ChildProcess
  /** Kills it and removes its directory. Idempotent. */
  stop(): Promise<void>
}

/** A node of a cluster listens at its port plus this too. */
const busOffset = 10_000
/** Both below the ports that systems give to outgoing connections. */
const [leastPort, greatestPort] = [10_000, 20_000]
const slots = 16_384

/** Whether `redis-server` is on the PATH. */
export function hasRedisServer(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Starts a redis-server that keeps nothing on disk, and answers when it takes commands.
 * @param parameters of its command line, after ours
 * @param port where it must listen, to start one again; default: a free one */
export async function spawnRedis(parameters: readonly string[] = [], port?: number): Promise<SpawnedRedis> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(parameters, port)
    } catch (error) {
      // Between the look for a free port and its use another test may have taken it.
      if (attempt === 5 || !String(error).includes('Address already in use')) throw error
    }
  }
}

async function start(parameters: readonly string[], port: number | undefined): Promise<SpawnedRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const used = port ?? (await freePort())
  const child = spawn(
    'redis-server',
    [
      '--port',
      String(used),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--repl-diskless-sync-delay',
      '0',
      '--dir',
      directory,
      ...parameters,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exited = once(child, 'exit')
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs)
    child.kill('SIGKILL')
    await exited
    rmSync(directory, { recursive: true, force: true })
  }
  await listening(child, exited)
  return { url: `redis://127.0.0.1:${used}`, port: used, process: child, stop }
}

/** A Redis Cluster of that many primaries, with all slots served. */
export async function spawnCluster(size = 3): Promise<SpawnedRedis> {
  const nodes: SpawnedRedis[] = []
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map(async node => node.stop())))
  try {
    for (let index = 0; index < size; index += 1) {
      nodes.push(await spawnRedis(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']))
    }
  } catch (error) {
    await stop()
    throw error
  }
  const clients = nodes.map(({ port }) => new Redis({ port, host: '127.0.0.1' }))
  const [first] = nodes
  if (first === undefined) throw new Error('a cluster needs a node')
  await Promise.all(
    clients.map(async (client, index) => {
      const from = Math.floor((index * slots) / size)
      const through = Math.floor(((index + 1) * slots) / size) - 1
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, through)
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    }),
  )
  for (const client of clients.slice(1)) await client.call('CLUSTER', 'MEET', '127.0.0.1', first.port)
  for (const client of clients) {
    for (;;) {
      const state = String(await client.call('CLUSTER', 'INFO'))
      if (state.includes('cluster_state:ok') && state.includes(`cluster_known_nodes:${size}`)) break
      await new Promise<void>(resolve => void setTimeout(resolve, 20))
    }
    client.disconnect()
  }
  return {
    url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    port: first.port,
    process: first.process,
    stop,
  }
}

async function listening(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('Ready to accept connections')) resolve()
    })
    child.once('error', reject)
    void exited.then(() => reject(new Error(`redis-server has ended: ${output}`)))
  })
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = leastPort + Math.floor(Math.random() * (greatestPort - leastPort))
    if ((await isFree(port)) && (await isFree(port + busOffset))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const listens = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (listens) await new Promise(resolve => void server.close(resolve))
  return listens
}
