import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { client, collect, connected, persistent } from './brokers-on-redis.ts'
import { clientEvent } from './client-event.ts'
import { anyPort, listeningUrl, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'
import { openWay } from './ways-in.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

interface Started {
  readonly url: string
  readonly process: StartedProcess
}

async function start(workers: number, ...parameters: string[]): Promise<Started> {
  return startWith('--workers', `${workers}`, ...parameters)
}

async function startWith(...parameters: string[]): Promise<Started> {
  const process = startCommand([...anyPort, ...parameters])
  onTestFinished(async () => process.stop('SIGTERM'))
  const url = await listeningUrl(process)
  await process.line(/workers accept connections/)
  return { process, url }
}

/** Processes of a command that are there now. */
function pidsOf({ process }: Started): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => parentOf(pid) === process.pid)
}

function parentOf(pid: number): number {
  return Number(statOf(pid).split(' ')[1])
}

/** Whether it has not ended. Who takes care of one whose parent has ended may leave it as a zombie for a while. */
function isRunning(pid: number): boolean {
  return /^[^Z]/.test(statOf(pid))
}

/** What the system says of a process behind its name; empty: there is none. */
function statOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2)
  } catch {
    return ''
  }
}

test('clients spread over the workers are those of one broker: messages at every QoS, shared groups, take-over, $SYS', async () => {
  const started = await start(2, '--memory', '--sys-interval', '1')
  const subscribers = await Promise.all(Array.from({ length: 4 }, async () => connected(started.url)))
  for (const subscriber of subscribers) await subscriber.subscribeAsync('a', { qos: 2 })
  const received = subscribers.map(collect)
  const members = await Promise.all(Array.from({ length: 4 }, async () => connected(started.url)))
  for (const member of members) await member.subscribeAsync('$share/g/a', { qos: 1 })
  const shared = members.map(collect)
  const publisher = await connected(started.url)
  for (const qos of [0, 1, 2] as const) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => publisher.publishAsync('a', `${qos} ${index}`, { qos })),
    )
  }
  for (const list of received) await expect.poll(() => list.length).toBe(60)
  await expect.poll(() => shared.flat().length).toBe(60)
  expect(new Set(shared.flat()).size).toBe(60)
  for (let time = 0; time < 4; time += 1) {
    const first = await connected(started.url, { clientId: 'same' })
    const ended = clientEvent(first, 'disconnect')
    const second = await connected(started.url, { clientId: 'same' })
    await ended
    await second.endAsync()
  }
  const watcher = await connected(started.url)
  const counts = collect(watcher)
  await watcher.subscribeAsync('$SYS/broker/clients/connected')
  await expect.poll(() => counts.at(-1)).toBe('10')
})

test('a worker is killed: its clients connect again at once, sessions and queues are there, the will comes once, and another worker takes its place', async () => {
  const started = await start(2, '--data', temporaryFolder(), '--data-durability', 'process', '--sys-interval', '0')
  const stored = await connected(started.url, { ...persistent, clientId: 'stored' })
  await stored.subscribeAsync('a', { qos: 2 })
  const watchers = await Promise.all(
    Array.from({ length: 4 }, async (_, index) =>
      connected(started.url, { ...persistent, clientId: `watcher ${index}`, reconnectPeriod: 20 }),
    ),
  )
  for (const watcher of watchers) await watcher.subscribeAsync('will', { qos: 1 })
  const wills = watchers.map(collect)
  const mortals = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const will = { topic: 'will', payload: Buffer.from(`${index}`), qos: 1, retain: false } as const
      return connected(started.url, { will })
    }),
  )
  const dead = (): string[] => mortals.flatMap((mortal, index) => (mortal.connected ? [] : `${index}`))
  await stored.endAsync(true)
  const before = pidsOf(started)
  expect(before).toHaveLength(2)
  process.kill(Number(before[0]), 'SIGKILL')
  await started.process.line(/worker \d has ended \(SIGKILL\)/)
  const publisher = await connected(started.url)
  for (const qos of [1, 2] as const) await publisher.publishAsync('a', `${qos}`, { qos })
  const again = client(started.url, { ...persistent, clientId: 'stored' })
  const payloads = collect(again)
  await expect.poll(() => payloads).toEqual(['1', '2'])
  // Connections go round: some of the six were with the worker that is gone, and some with the other.
  await expect
    .poll(() => [dead(), ...wills].map(list => list.toSorted().join()))
    .toSatisfy((lists: string[]) => lists[0] !== '' && new Set(lists).size === 1)
  await expect.poll(() => pidsOf(started).length).toBe(2)
  expect(dead().length).toBeLessThan(mortals.length)
})

test('SIGUSR2 replaces the workers one by one: a client can always connect, and sessions are kept', async () => {
  const started = await start(2, '--memory', '--sys-interval', '0')
  const stored = await connected(started.url, { ...persistent, clientId: 'stored' })
  await stored.subscribeAsync('a', { qos: 1 })
  await stored.endAsync()
  const before = pidsOf(started)
  started.process.signal('SIGUSR2')
  const rolled = started.process.line(/all workers were replaced/)
  let isRolled = false
  void rolled.then(() => (isRolled = true))
  // One that comes to a worker which is just closing is told so, and comes to another one.
  while (!isRolled) await (await connected(started.url, { reconnectPeriod: 10 })).endAsync(true)
  const after = pidsOf(started)
  expect(after).toHaveLength(2)
  expect(after.filter(pid => before.includes(pid))).toEqual([])
  await (await connected(started.url)).publishAsync('a', 'x', { qos: 1 })
  const again = client(started.url, { ...persistent, clientId: 'stored' })
  const payloads = collect(again)
  const [connack] = await clientEvent(again, 'connect')
  expect(connack.sessionPresent).toBe(true)
  await expect.poll(() => payloads).toEqual(['x'])
})

test(
  'one worker has the bridges, and another one when it is killed or replaced: nothing is lost',
  { timeout: 120_000 },
  async () => {
    const { broker, port } = await openWay()
    const came: string[] = []
    await broker.subscribe('b', ({ payload }) => void came.push(payload.toString()))
    let arrivals = 0
    let most = 0
    broker.on('clientReady', () => {
      arrivals += 1
      most = Math.max(most, Object.keys(broker.clients).length)
    })
    const file = join(temporaryFolder(), 'x.yaml')
    const bridge = `{ name: house, clientId: house, addresses: 'mqtt://127.0.0.1:${port}', topics: [{ filter: b, qos: 1 }] }`
    writeFileSync(
      file,
      `store: { data: ${temporaryFolder()}, durability: process }\nworkers: 2\nbridges: [${bridge}]\nstatistics: { interval: 0 }\n`,
    )
    const started = await startWith('--config', file)
    const publisher = await connected(started.url, { reconnectPeriod: 20 })
    const passes = async (text: string): Promise<void> => {
      await publisher.publishAsync('b', text, { qos: 1 })
      await expect.poll(() => came).toContain(text)
    }
    await passes('first')
    const listening = (): number => started.process.lines.filter(line => line.includes('listening on')).length
    for (const [index, pid] of pidsOf(started).entries()) {
      process.kill(pid, 'SIGKILL')
      await passes(`${index} is killed`)
      // Without any worker nobody listens, and the port, which was any, would become another one.
      await expect.poll(listening).toBe(3 + index)
    }
    // Killed one after the other, both can't have had it from the beginning to the end.
    expect(arrivals).toBeGreaterThan(1)
    started.process.signal('SIGUSR2')
    await started.process.line(/all workers were replaced/)
    await passes('last')
    expect(most).toBe(1)
    expect([...new Set(came)]).toEqual(['first', '0 is killed', '1 is killed', 'last'])
  },
)

test('the primary is killed: its workers end, and the next one removes its files', async () => {
  const kept = async ({ process }: Started): Promise<string> =>
    /kept in (\S+?)"/.exec(await process.line(/kept in/))?.[1] ?? ''
  const first = await start(2, '--memory', '--sys-interval', '0', '--verbose')
  const workers = pidsOf(first)
  const files = await kept(first)
  expect(existsSync(files)).toBe(true)
  await first.process.stop('SIGKILL')
  await expect.poll(() => workers.filter(isRunning)).toEqual([])
  const second = await start(2, '--memory', '--sys-interval', '0', '--verbose')
  const own = await kept(second)
  expect(existsSync(files)).toBe(false)
  await start(2, '--memory', '--sys-interval', '0')
  expect(existsSync(own)).toBe(true)
  await (await connected(second.url)).publishAsync('a', 'x', { qos: 1 })
})

test('SIGTERM closes all workers: clients are told, and nothing is left', async () => {
  const started = await start(2, '--memory', '--sys-interval', '0', '--verbose')
  const subscriber = await connected(started.url)
  const told = clientEvent(subscriber, 'disconnect')
  const workers = pidsOf(started)
  const [, files = ''] = /kept in (\S+?)"/.exec(await started.process.line(/kept in/)) ?? []
  expect(existsSync(files)).toBe(true)
  started.process.signal('SIGTERM')
  expect((await told)[0].reasonCode).toBe(0x8b)
  expect(await started.process.exited).toEqual({ code: 0, signal: null })
  expect(existsSync(files)).toBe(false)
  expect(workers.filter(isRunning)).toEqual([])
})

test('the first worker is killed while it starts: another one takes its place', async () => {
  const command = startCommand([...anyPort, '--workers', '2', '--memory', '--sys-interval', '0'])
  onTestFinished(async () => command.stop('SIGTERM'))
  const workers = (): readonly number[] => pidsOf({ process: command, url: '' })
  await expect.poll(() => workers().length).toBeGreaterThan(0)
  process.kill(Number(workers()[0]), 'SIGKILL')
  await command.line(/worker 1 has ended \(SIGKILL\)/)
  await command.line(/workers accept connections/)
  // On a slow machine it may have listened before it was killed, at another port.
  const last = command.lines.findLast(line => line.includes('"url":')) ?? ''
  const { url } = JSON.parse(last) as { url: string }
  await (await connected(url)).publishAsync('a', 'x', { qos: 1 })
})

test('SIGTERM while workers start ends those, too, and none of them complains', async () => {
  const process = startCommand([...anyPort, '--workers', '4', '--memory', '--sys-interval', '0'])
  onTestFinished(async () => process.stop())
  // Of the first one; the others start now.
  await listeningUrl(process)
  process.signal('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })
  expect(process.stderr).toBe('')
})

test('SIGHUP makes all workers read the configuration, once it is well, and the PID file is of the primary', async () => {
  const [file, pidFile] = ['x.yaml', 'pid'].map(name => join(temporaryFolder(), name)) as [string, string]
  const configure = (access: string): void => {
    writeFileSync(file, `store: { memory: true }\nworkers: 2\npidFile: ${pidFile}\naccess: { ${access} }\n`)
  }
  configure('allowAnonymous: true')
  const started = await startWith('--config', file)
  expect(Number(readFileSync(pidFile, 'utf8'))).toBe(started.process.pid)
  const clients = await Promise.all(Array.from({ length: 6 }, async () => connected(started.url)))
  configure('allowAnonymous: maybe')
  started.process.signal('SIGHUP')
  await started.process.line(/SIGHUP: nothing has changed/)
  const closed = clients.map(async one => clientEvent(one, 'disconnect'))
  configure('allowAnonymous: false')
  started.process.signal('SIGHUP')
  await Promise.all(closed)
  const problems = started.process.lines.filter(line => line.includes('nothing has changed'))
  expect(problems).toHaveLength(1)
  const workers = pidsOf(started)
  // As a terminal and systemd do, which know nothing of a primary.
  for (const pid of [...workers, Number(started.process.pid)]) process.kill(pid, 'SIGTERM')
  expect(await started.process.exited).toEqual({ code: 0, signal: null })
  expect(started.process.lines.filter(line => line.includes('has ended'))).toEqual([])
  expect(existsSync(pidFile)).toBe(false)
})

test('workers that are starting hear of SIGHUP, too: each one has the configuration as it is then', async () => {
  const file = join(temporaryFolder(), 'x.yaml')
  const configure = (isOpen: boolean): void => {
    writeFileSync(file, `store: { memory: true }\nworkers: 3\naccess: { allowAnonymous: ${isOpen} }\n`)
  }
  configure(true)
  const command = startCommand([...anyPort, '--config', file])
  onTestFinished(async () => command.stop('SIGTERM'))
  const url = await listeningUrl(command)
  configure(false)
  command.signal('SIGHUP')
  await command.line(/workers accept connections/)
  const admitted = async (): Promise<number> => {
    const tried = await Promise.allSettled(
      Array.from({ length: 6 }, async () => connectAsync(url, { reconnectPeriod: 0 })),
    )
    const clients = tried.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    await Promise.all(clients.map(async one => one.endAsync(true)))
    return clients.length
  }
  await expect.poll(admitted).toBe(0)
})

test('what keeps a worker from starting is said once, and ends the command with its code', async () => {
  const first = await start(2, '--memory', '--sys-interval', '0')
  const port = new URL(first.url).port
  const second = startCommand(['--port', port, '--host', '127.0.0.1', '--workers', '2', '--memory'])
  onTestFinished(async () => second.stop())
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.stderr.match(/x-broker: /g)).toHaveLength(1)
})
