import { Random } from '@x/chaos/random'
import type { Version } from '../wire/bytes.ts'
import { MqttjsVisitor } from './mqttjs-visitor.ts'
import { RawVisitor } from './raw-visitor.ts'
import { Tally } from './tally.ts'
import { transports } from './transport.ts'
import type { Ways } from './transport.ts'
import type { Visit, Visitor } from './visitor.ts'

/** Clients that are there at the same time. */
const places = 40
/** Topics that clients share. */
const groups = 8
const sink = 'sink/all'

/** Clients of all kinds that come, talk and go, and count what they do. */
export class Workload {
  readonly tally: Tally = new Tally()
  lives = 0
  readonly #ways: Ways
  readonly #random: Random
  #ended = false

  constructor(ways: Ways, random: Random) {
    this.#ways = ways
    this.#random = random
  }

  /** Settles when everyone has left after `end`. */
  async run(): Promise<void> {
    const collector = this.#visitor(new Random(0), 'collector')
    await collector.connect()
    await collector.subscribe('sink/#', 2)
    await Promise.all(Array.from({ length: places }, async (_, place) => this.#occupy(place, this.#random.fork())))
    await this.#settle(collector)
    this.tally.arrived = collector.received
    await collector.leave('disconnect')
  }

  end(): void {
    this.#ended = true
  }

  async #occupy(place: number, random: Random): Promise<void> {
    while (!this.#ended) {
      this.lives += 1
      try {
        await this.#live(this.#visitor(random, `visitor${place}`), random)
      } catch (error) {
        this.tally.failures.push(error instanceof Error ? error.message : String(error))
      }
      await pause(random.between(0, 50))
    }
    // A session that was to outlive its connection ends with this one.
    const last = this.#visitor(random, `visitor${place}`, { cleanStart: true })
    await last.connect()
    await last.leave('disconnect')
  }

  #visitor(random: Random, clientId: string, wish: Partial<Visit> = {}): Visitor {
    const version = random.pick<Version>([3, 4, 5])
    const transport = random.pick(transports)
    const cleanStart = random.chance(0.5)
    const visit = { transport, ways: this.#ways, version, clientId, cleanStart, tally: this.tally, ...wish }
    return random.chance(0.5) ? new RawVisitor(visit) : new MqttjsVisitor(visit)
  }

  async #live(visitor: Visitor, random: Random): Promise<void> {
    await visitor.connect()
    const group = `group/${random.between(1, groups)}`
    const filter = random.pick([group, `${group}/#`, 'group/+'])
    await visitor.subscribe(filter, random.pick([0, 1, 2]))
    for (let count = random.between(1, 20); count > 0; count--) {
      const payload = Buffer.alloc(random.pick([0, 10, 100, 5000]), 's')
      await visitor.publish(group, payload, random.pick([0, 1, 2]))
      if (random.chance(0.3)) {
        this.tally.sunk += 1
        await visitor.publish(sink, payload, random.pick([1, 2]))
      }
      if (random.chance(0.3)) await pause(random.between(1, 200))
    }
    await visitor.unsubscribe(filter)
    await this.#settle(visitor)
    await visitor.leave(random.chance(0.5) ? 'disconnect' : 'cut')
  }

  /** Until nothing is on its way to it, a PUBREL neither: what it has not got when it leaves, it can't count. */
  async #settle(visitor: Visitor): Promise<void> {
    for (let isQuiet = false; !isQuiet;) {
      const before = visitor.receivedPackets
      await visitor.publish('nobody', Buffer.alloc(0), 1)
      await pause(20)
      await visitor.publish('nobody', Buffer.alloc(0), 1)
      // Nothing but the two acknowledgements.
      isQuiet = visitor.receivedPackets === before + 2
    }
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, milliseconds))
}
