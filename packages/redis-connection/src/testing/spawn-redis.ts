import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import calculateSlot from 'cluster-key-slot'
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

/** Of the command line, after ours; those that need it are told the port. */
export type RedisParameters = readonly string[] | ((port: number) => readonly string[])

/** Starts a redis-server that keeps nothing on disk, and resolves when it takes commands.
 * @param port where it must listen, to start one again; default: a free one */
export async function spawnRedis(parameters: RedisParameters = [], port?: number): Promise<SpawnedRedis> {
  const all = (used: number, directory: string): readonly string[] => {
    const own = ['--port', String(used), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
    const more = typeof parameters === 'function' ? parameters(used) : parameters
    return own.concat('--repl-diskless-sync-delay', '0', more)
  }
  return started({ parameters: all, ready: 'Ready to accept connections' }, port)
}

/** A Sentinel that watches a server under the name `primary`, and promotes its replica half a second after its end. */
export async function spawnSentinel(primary: SpawnedRedis): Promise<SpawnedRedis> {
  const parameters = (used: number, directory: string): readonly string[] => {
    const file = join(directory, 'sentinel.conf')
    const lines = [
      `port ${used}`,
      'bind 127.0.0.1',
      `dir ${directory}`,
      `sentinel monitor primary 127.0.0.1 ${primary.port} 1`,
      'sentinel down-after-milliseconds primary 500',
      'sentinel failover-timeout primary 3000',
    ]
    writeFileSync(file, lines.join('\n'))
    return [file, '--sentinel']
  }
  return started({ parameters, ready: '+monitor' })
}

interface Server {
  readonly parameters: (port: number, directory: string) => readonly string[]
  /** What it prints when it is ready. */
  readonly ready: string
}

async function started(server: Server, port?: number): Promise<SpawnedRedis> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(server, port ?? (await freePort()))
    } catch (error) {
      // Between the look for a free port and its use another test may have taken it.
      if (attempt === 5 || !String(error).includes('Address already in use')) throw error
    }
  }
}

async function start({ parameters, ready }: Server, port: number): Promise<SpawnedRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const child = spawn('redis-server', parameters(port, directory), { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs)
    child.kill('SIGKILL')
    await exited
    rmSync(directory, { recursive: true, force: true })
  }
  await printed(child, ready, exited)
  return { url: `redis://127.0.0.1:${port}`, port, process: child, stop }
}

/** A cluster of servers that a test has started. */
export interface SpawnedCluster extends SpawnedRedis {
  /** The node that serves the key as long as none has failed. */
  primaryOf(key: string): SpawnedRedis
}

/** A Redis Cluster of that many primaries, with all slots served.
 * @param replicas of each primary */
export async function spawnCluster(size = 3, replicas = 0): Promise<SpawnedCluster> {
  const nodes: SpawnedRedis[] = []
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map(async node => node.stop())))
  try {
    for (let index = 0; index < size * (1 + replicas); index += 1) {
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
    clients.slice(0, size).map(async (client, index) => {
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
      if (state.includes('cluster_state:ok') && state.includes(`cluster_known_nodes:${nodes.length}`)) break
      await new Promise<void>(resolve => void setTimeout(resolve, 20))
    }
  }
  for (const [index, client] of clients.slice(size).entries()) {
    await client.call('CLUSTER', 'REPLICATE', String(await clients[index % size]?.call('CLUSTER', 'MYID')))
    while (!(await client.info('replication')).includes('master_link_status:up'))
      await new Promise<void>(resolve => void setTimeout(resolve, 20))
  }
  // It takes up to a second until a replica confirms something for the first time. WAIT is about what its own connection
  // has written: without a write it waits for nothing.
  for (const client of replicas === 0 ? [] : clients.slice(0, size)) {
    do await client.flushall()
    while ((await client.wait(replicas, 100)) < replicas)
  }
  for (const client of clients) client.disconnect()
  return {
    url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    port: first.port,
    process: first.process,
    primaryOf: key => nodes[Math.ceil(((calculateSlot(key) + 1) * size) / slots) - 1] as SpawnedRedis,
    stop,
  }
}

async function printed(child: ChildProcess, text: string, exited: Promise<unknown>): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes(text)) resolve()
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
