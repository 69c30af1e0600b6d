import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { listeningUrl, portOf, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

function start(): StartedProcess {
  const command = startCommand()
  onTestFinished(() => command.stop())
  return command
}

/** A client on a new connection gets its own message back. */
async function expectService(url: string): Promise<void> {
  const client = await connectAsync(url)
  await client.subscribeAsync('echo', { qos: 1 })
  const received = clientEvent(client, 'message')
  await client.publishAsync('echo', 'still here', { qos: 1 })
  expect(String((await received)[1])).toBe('still here')
  await client.endAsync()
}

/** 10 000, or what the limit on open files leaves: both ends need one for each, and some for themselves. */
function connectionCount(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim()
  return limit === 'unlimited' ? 10_000 : Math.min(10_000, Number(limit) - 200)
}

test('10 000 connections that send nothing do not keep a client from being served', async () => {
  const url = await listeningUrl(start())
  const idle: Socket[] = []
  onTestFinished(() => {
    for (const socket of idle) socket.destroy()
  })
  const count = connectionCount()
  while (idle.length < count) {
    // Fewer at a time than the operating system keeps waiting for accept.
    const batch = Array.from({ length: Math.min(500, count - idle.length) }, () => connect(portOf(url), '127.0.0.1'))
    idle.push(...batch)
    await Promise.all(batch.map(socket => once(socket, 'connect')))
  }
  await expectService(url)
  expect(idle.filter(socket => socket.readyState === 'open')).toHaveLength(count)
})

/** mulberry32: the same bytes in every run. */
function randomBytes(seed: number): Buffer {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return Buffer.from(Array.from({ length: 1 + Math.floor(next() * 2000) }, () => Math.floor(next() * 256)))
}

// CONNECT, MQTT 3.1.1 and 5.0, clean start, keep alive 60 s, identifier assigned by the broker
const greetings = [
  Buffer.alloc(0),
  Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 0]),
  Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 0]),
]

test('random bytes, before and after CONNECT, end those connections and nothing else', async () => {
  const command = start()
  const url = await listeningUrl(command)
  const witness = await connectAsync(url, { reconnectPeriod: 0 })
  let lost = false
  witness.once('close', () => {
    lost = true
  })
  await Promise.all(
    Array.from({ length: 200 }, async (_, seed) => {
      const socket = connect(portOf(url), '127.0.0.1')
      // A reset is as good an end as any.
      socket.on('error', () => undefined)
      socket.resume()
      const closed = once(socket, 'close')
      socket.end(Buffer.concat([greetings[seed % greetings.length] ?? Buffer.alloc(0), randomBytes(seed)]))
      await closed
    }),
  )
  await expectService(url)
  expect(lost).toBe(false)
  await witness.endAsync()
  command.signal('SIGTERM')
  expect(await command.exited).toEqual({ code: 0, signal: null })
  expect(command.stderr).toBe('')
  expect(command.lines.filter(line => line.includes('"level":50'))).toEqual([])
})
