/** What routes and messages cost in Redis, and how fast they come from one broker to another: the figures of the README.
 *
 *   npm run measure-emitter */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { RedisConnection } from '@x/redis-connection'
import { spawnRedis } from '@x/redis-connection/testing'
import { Broker } from './network.ts'

const topic = 'devices/1/in'
const payload = Buffer.alloc(64, 120)

/** The other broker has a process of its own, as it would: it counts what comes, and sends back what comes to `there`. */
if (process.send !== undefined) {
  const other = new Broker('other', { redis: process.argv[2] ?? '' })
  let count = 0
  other.answer = message => {
    if (message.topic === 'there') void other.publish(message.payload, message.qos, 'back')
    else count += 1
  }
  await other.emitter.open(other)
  for (const filter of [topic, 'there']) await other.emitter.addRoute(filter)
  process.on('message', () => process.send?.(count))
  process.on('disconnect', () => process.exit())
  process.send('ready')
} else await measure()

async function measure(): Promise<void> {
  const redis = await spawnRedis()
  const reader = new RedisConnection({ redis: redis.url })
  await reader.open()
  const one = new Broker('one', { redis: redis.url })
  await one.emitter.open(one)
  await one.emitter.addRoute('back')
  const other = fork(new URL(import.meta.url), [redis.url])
  await once(other, 'message')
  const report = (what: string, value: number, unit: string): void =>
    void process.stdout.write(`${what.padEnd(70)} ${Math.round(value).toLocaleString('en').padStart(10)} ${unit}\n`)
  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(String(await reader.command('', 'INFO', 'memory')))?.[1])
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

  async function inRows(count: number, width: number, run: (index: number) => unknown): Promise<number> {
    const start = performance.now()
    for (let index = 0; index < count; index += width)
      await Promise.all(numbers(width).map(async offset => run(index + offset)))
    return (performance.now() - start) / 1000
  }

  const received = async (): Promise<number> => {
    const answer = once(other, 'message') as Promise<[number]>
    other.send('count')
    return (await answer)[0]
  }

  for (const qos of [0, 1, 2] as const) {
    const times: number[] = []
    // The first thousand are slower: neither process has compiled its code.
    for (const number of numbers(4000)) {
      const start = performance.now()
      const arrived = new Promise<void>(resolve => (one.answer = () => resolve()))
      await one.publish(`${number}`, qos, 'there')
      await arrived
      // There and back.
      times.push((performance.now() - start) / 2)
    }
    const sorted = times.slice(1000).sort((less, more) => less - more)
    report(`one QoS ${qos} message to another broker, 50th percentile of 3000`, (sorted[1500] ?? 0) * 1000, 'µs')
    report(`… 99th percentile`, (sorted[2970] ?? 0) * 1000, 'µs')
  }

  for (const [qos, count, width] of [
    [0, 500_000, 1000],
    [1, 200_000, 1000],
    [2, 200_000, 1000],
    [1, 50_000, 100],
  ] as const) {
    const before = await received()
    const start = performance.now()
    await inRows(count, width, async () => {
      await one.publish(payload, qos, topic)
      // Nobody waits for QoS 0: as many as one turn of the event loop reads from sockets.
      if (qos === 0) await new Promise(setImmediate)
    })
    const deadline = performance.now() + 2000
    let arrived = await received()
    while (arrived - before < count && performance.now() < deadline) arrived = await received()
    const what = qos === 0 ? `${width} a turn` : `${width} in flight`
    report(`QoS ${qos}, 64 bytes, ${what}`, (arrived - before) / ((performance.now() - start) / 1000), 'a second')
    report('… of them lost', count - (arrived - before), '')
  }

  const routes = 100_000
  const seconds = await inRows(routes, 1000, index => one.emitter.addRoute(`devices/${index}/in`))
  const brokers = (await reader.command('', 'HKEYS', '{x1.rt}:here')) as readonly Buffer[]
  const key = `{x1.rt}:r:${brokers.map(String).find(name => name.startsWith('one~'))}`
  const size = Number(await reader.command(key, 'MEMORY', 'USAGE', key, 'SAMPLES', 0))
  report('a route, in Redis', size / routes, 'bytes')
  report('routes told to both brokers, 1000 in flight', routes / seconds, 'a second')

  // Its owner does not renew, nor take anything out.
  other.kill('SIGSTOP')
  for (const [width, frames] of [
    [1, 2000],
    [100, 200],
  ] as const) {
    const before = await used()
    await inRows(width * frames, width, () => one.publish(payload, 1, topic))
    report(`an inbox frame of ${width} message(s) of 64 bytes`, ((await used()) - before) / frames, 'bytes')
  }
  other.kill('SIGKILL')
  await one.emitter.close()
  reader.close()
  await redis.stop()
}
