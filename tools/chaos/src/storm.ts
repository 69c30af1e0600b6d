import type { Cluster } from './cluster.ts'
import type { Surroundings } from './device.ts'
import type { Random } from './random.ts'
import { RecordingClient } from './recording-client.ts'
import type { RecordingClientOptions } from './recording-client.ts'

/** One client identifier that several programs use: in a storm all of them connect, each to a broker of its own, again and again. */
export class Storm {
  readonly #clients: readonly RecordingClient[]
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #connections: { readonly at: number; readonly index: number }[] = []
  #now = 0
  #nextConnect = 0
  #phase: 'busy' | 'leaving' | 'gone' = 'busy'

  constructor(options: RecordingClientOptions, { cluster, history, random }: Surroundings) {
    this.#cluster = cluster
    this.#random = random
    this.#clients = cluster.brokers.map(() => new RecordingClient(options, history))
  }

  get isSettled(): boolean {
    const connected = this.#clients.filter(client => client.connected)
    return this.#connections.length === 0 && connected.length === 1 && connected.every(({ subscribed }) => subscribed)
  }

  get isGone(): boolean {
    return this.#phase === 'gone' && this.#clients.every(({ idle }) => idle)
  }

  rage(rounds: number): void {
    for (let round = 0; round < rounds; round += 1) {
      this.#clients.forEach((_, index) => {
        this.#connections.push({ at: this.#now + round * 300 + this.#random.between(0, 300), index })
      })
    }
    this.#connections.sort((one, other) => one.at - other.at)
  }

  settle(): void {
    this.#connections.length = 0
  }

  leave(): void {
    this.#phase = 'leaving'
    for (const client of this.#clients) client.crash()
  }

  tick(now: number): void {
    this.#now = now
    while ((this.#connections[0]?.at ?? Number.POSITIVE_INFINITY) <= now) {
      const index = this.#connections.shift()?.index ?? 0
      this.#clients[index]?.crash()
      this.#connect(index)
    }
    const [first] = this.#clients
    if (this.#phase === 'leaving' && first?.connected === true) {
      first.disconnect(true)
      this.#phase = 'gone'
    }
    if (this.#phase === 'gone' || now < this.#nextConnect || !this.#clients.every(({ idle }) => idle)) return
    this.#nextConnect = now + this.#random.between(100, 500)
    this.#connect(this.#phase === 'leaving' ? 0 : this.#random.between(0, this.#clients.length - 1))
  }

  #connect(index: number): void {
    const broker = this.#cluster.brokers[index]
    if (broker === undefined) return
    const cleanStart = this.#phase === 'leaving' ? true : undefined
    this.#clients[index]?.connect(broker.name, broker.clients.port, cleanStart)
  }
}
