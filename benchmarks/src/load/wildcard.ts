import { performance } from 'node:perf_hooks'
import type { WildcardScenario } from '../scenarios.ts'
import {
  Client,
  FloodPublisher,
  type FrameSupply,
  openClients,
  publishFrame,
  settle,
  subscribeFrame,
  Tally,
} from '@x/load'
import { type LoadPlan, type Round, measureRate } from './measure.ts'
import type { LoadResult } from './result.ts'

const subscriberCount = 10
const filtersPerSubscribe = 500
const filterDigits = 6
const counterDigits = 9
const zero = 0x30
const blockBytes = 65_536

/** Frames to topics `w/<filter>/<counter>/t`, none of which is repeated. Only digits are written into an encoded block. */
export class NewTopics implements FrameSupply {
  readonly blockSize: number
  readonly #filters: number
  readonly #block: Buffer
  readonly #frameLength: number
  readonly #filterAt: number
  readonly #counterAt: number
  #counter = 0

  constructor(filters: number) {
    const topic = `w/${'0'.repeat(filterDigits)}/${'0'.repeat(counterDigits)}/t`
    const frame = publishFrame({ version: 4, topic, payload: Buffer.alloc(64, 'x'), qos: 0 })
    this.#filters = filters
    this.#frameLength = frame.length
    this.#filterAt = frame.indexOf(topic) + 2
    this.#counterAt = this.#filterAt + filterDigits + 1
    this.blockSize = Math.floor(blockBytes / frame.length)
    this.#block = Buffer.alloc(this.blockSize * frame.length, frame)
  }

  take(count: number): Buffer {
    const frames = Buffer.from(this.#block.subarray(0, count * this.#frameLength))
    for (let start = 0; start < frames.length; start += this.#frameLength) {
      // A stride through the filters, so that neighbours in time are not neighbours in the broker's tree.
      writeDigits(frames, start + this.#filterAt, filterDigits, (this.#counter * 7919) % this.#filters)
      writeDigits(frames, start + this.#counterAt, counterDigits, this.#counter)
      this.#counter++
    }
    return frames
  }
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let rest = value
  for (let index = at + digits - 1; index >= at; index--) {
    bytes[index] = zero + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

/** Distinct filters with a wildcard each; every topic of `NewTopics` matches exactly one. */
export function wildcardFilter(index: number): string {
  const level = String(index).padStart(filterDigits, '0')
  return index % 2 === 0 ? `w/${level}/+/t` : `w/${level}/#`
}

/** Measures deliveries per second of messages whose topic the broker has not seen before. */
export async function measureWildcard(scenario: WildcardScenario, plan: LoadPlan): Promise<LoadResult> {
  const { port } = plan
  const deliveries = new Tally()
  const subscribers = await openClients(subscriberCount, subscriberCount, index => ({
    port,
    clientId: `subscriber-${index}`,
    deliveries,
  }))
  await Promise.all(subscribers.map((client, index) => subscribeShare(client, index, scenario.filters)))
  const publisher = new FloodPublisher(
    await Client.open({ port, clientId: 'publisher' }),
    new NewTopics(scenario.filters),
  )

  return measureRate(plan, 'msg/s', async (count): Promise<Round> => {
    deliveries.reset()
    const startedAt = performance.now()
    publisher.start(count)
    const outcome = await settle([{ tally: deliveries, total: count }], plan.capSeconds)
    const endedAt = outcome === 'capped' ? performance.now() : deliveries.lastAt
    return { seconds: (endedAt - startedAt) / 1000, expected: count, delivered: deliveries.count, outcome }
  })
}

async function subscribeShare(client: Client, subscriber: number, filters: number): Promise<void> {
  const share: string[] = []
  for (let index = subscriber; index < filters; index += subscriberCount) share.push(wildcardFilter(index))
  for (let from = 0; from < share.length; from += filtersPerSubscribe) {
    await client.request(subscribeFrame(4, share.slice(from, from + filtersPerSubscribe), 0))
  }
}
