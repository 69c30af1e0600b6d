import type { Emitter, EmitterHost, Message } from '@x/contract'
import { filterMatches, parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { AedesPacket } from './aedes-packet.ts'
import { messageOf, packetOf } from './aedes-packet.ts'
import { CompatError } from './compat-error.ts'
import { missingEmitterMethods } from './old-emitter.ts'
import type { Mqemitter, MqListener } from './old-emitter.ts'

interface Route {
  readonly listener: MqListener
  /** Open `addRoute`s. */
  count: number
}

const newClients = '$SYS/+/new/clients'

/** Connects brokers, also with ones that run Aedes, over an mqemitter. */
export class MqemitterEmitter implements Emitter {
  readonly #mq: Mqemitter
  readonly #routes = new Map<string, Route>()
  /** A message that matches several filters comes once for each; it is the same object each time. */
  readonly #delivered = new WeakSet<AedesPacket>()
  /** The last delivery of each broker that has not been answered: the next one waits for it. */
  readonly #underWay = new Map<string, Promise<void>>()
  /** Counted downwards, apart from the broker's own messages. */
  #announced = 0
  #host: EmitterHost | undefined
  readonly #onNewClient: MqListener = (packet, done) => {
    // A program may say it in the name of another broker; a client may not, whatever its hook allows it.
    const isOurs = packet.topic.split('/')[1] === this.#host?.brokerId
    if (!isOurs && packet.clientId === undefined) this.#host?.takenOver(String(packet.payload))
    done()
  }

  /** @throws CompatError `EMITTER_NOT_USABLE` when it lacks methods */
  constructor(mq: object) {
    const missing = missingEmitterMethods(mq)
    if (missing.length > 0) {
      throw new CompatError('EMITTER_NOT_USABLE', `the emitter lacks ${missing.map(name => `${name}()`).join(', ')}`)
    }
    this.#mq = mq as Mqemitter
  }

  async open(host: EmitterHost): Promise<void> {
    this.#host = host
    await this.#listen(newClients, this.#onNewClient)
  }

  async close(): Promise<void> {
    if (this.#host === undefined) return
    this.#host = undefined
    this.#routes.clear()
    await answered(done => this.#mq.close(done))
  }

  /** Of shared filters, what everybody who subscribes to the filter gets: mqemitters know no groups. */
  async addRoute(routed: string): Promise<void> {
    const filter = unshared(routed)
    const known = this.#routes.get(filter)
    if (known !== undefined) {
      known.count += 1
      return
    }
    const listener: MqListener = (packet, done) => {
      // Its wildcards find `$` topics, too.
      if (filterMatches(filter, packet.topic)) this.#receive(packet, done)
      else done()
    }
    this.#routes.set(filter, { listener, count: 1 })
    await this.#listen(filter, listener)
  }

  async removeRoute(routed: string): Promise<void> {
    const filter = unshared(routed)
    const route = this.#routes.get(filter)
    if (route === undefined) return
    route.count -= 1
    if (route.count > 0) return
    this.#routes.delete(filter)
    await answered(done => this.#mq.removeListener(filter, route.listener, done))
  }

  /** Not known. */
  reaches(): boolean {
    return true
  }

  takesTurn(): boolean {
    return true
  }

  /** Resolves when the emitter says so: that of mqemitter-redis when Redis has the message. */
  async publish(message: Message): Promise<void> {
    // Said already, by `announce`.
    if (message.topic === this.#newClientTopic()) return
    await answered(done => this.#mq.emit(packetOf(message), done))
  }

  /** As brokers that run Aedes do it, and hear it. */
  async announce(clientId: string): Promise<void> {
    const { brokerId = '' } = this.#host ?? {}
    this.#announced += 1
    await answered(done =>
      this.#mq.emit(
        {
          cmd: 'publish',
          brokerId,
          brokerCounter: -this.#announced,
          topic: this.#newClientTopic(),
          payload: Buffer.from(clientId),
          qos: 0,
          retain: false,
          dup: false,
        },
        done,
      ),
    )
  }

  #newClientTopic(): string {
    return `$SYS/${this.#host?.brokerId}/new/clients`
  }

  async #listen(filter: string, listener: MqListener): Promise<void> {
    await answered(done => this.#mq.on(filter, listener, done))
  }

  #receive(packet: AedesPacket, done: () => void): void {
    const host = this.#host
    if (host === undefined || packet.brokerId === host.brokerId || this.#delivered.has(packet)) {
      done()
      return
    }
    this.#delivered.add(packet)
    const { brokerId } = packet
    const before = this.#underWay.get(brokerId)
    const taken =
      before === undefined ? host.deliver(messageOf(packet)) : before.then(() => host.deliver(messageOf(packet)))
    if (!(taken instanceof Promise)) {
      done()
      return
    }
    const settled = taken
      .catch(() => undefined)
      .then(() => {
        if (this.#underWay.get(brokerId) === settled) this.#underWay.delete(brokerId)
        done()
      })
    this.#underWay.set(brokerId, settled)
  }
}

function unshared(filter: string): string {
  return parseSharedFilter(filter as TopicFilter)?.filter ?? filter
}

function answered(call: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    call(error => (error ? reject(error) : resolve()))
  })
}

/** An emitter of the mqemitter family as our own. It is closed with the broker.
 * @throws CompatError `EMITTER_NOT_USABLE`, naming what it lacks */
export function fromMqemitter(mq: object): Emitter {
  return new MqemitterEmitter(mq)
}
