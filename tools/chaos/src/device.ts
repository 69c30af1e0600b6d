import type { Cluster } from './cluster.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'
import { RecordingClient } from './recording-client.ts'
import type { RecordingClientOptions } from './recording-client.ts'

/** From, to. Milliseconds. */
type Span = readonly [number, number]

export interface DeviceOptions extends RecordingClientOptions {
  /** How long it stays connected; undefined: as long as it can. */
  readonly online?: Span
  readonly offline?: Span
  /** How many of its own disconnections say DISCONNECT; the others just end. */
  readonly graceful?: number
  /** Now and then it doesn't read for so long. */
  readonly pauses?: Span
}

export interface DeviceSurroundings {
  /** Says where to connect. */
  readonly cluster: Pick<Cluster, 'any'>
  readonly history: History
  readonly random: Random
}

export interface Surroundings extends DeviceSurroundings {
  readonly cluster: Cluster
}

/** A client with habits: comes and goes, and finds another broker when its own is gone. */
export class Device {
  readonly client: RecordingClient
  protected readonly random: Random
  readonly #options: DeviceOptions
  readonly #cluster: Pick<Cluster, 'any'>
  #nextConnect = 0
  #leavesAt = Number.POSITIVE_INFINITY
  #pausesAt = 0
  #readsAt = Number.POSITIVE_INFINITY
  #phase: 'busy' | 'settling' | 'leaving' | 'gone' = 'busy'

  constructor(options: DeviceOptions, { cluster, history, random }: DeviceSurroundings) {
    this.#options = options
    this.#cluster = cluster
    this.random = random
    this.client = new RecordingClient(options, history)
  }

  /** Whether nothing is left that it waits for. */
  get isSettled(): boolean {
    return this.client.connected && this.client.subscribed && this.client.unfinished === 0
  }

  get isGone(): boolean {
    return this.#phase === 'gone' && this.client.idle
  }

  /** From now on it stays connected and reads. */
  settle(): void {
    this.#phase = 'settling'
    this.client.resumeReading()
  }

  /** Ends its session. */
  leave(): void {
    this.#phase = 'leaving'
    this.client.crash()
  }

  /** Called often, with milliseconds that grow. */
  tick(now: number): void {
    if (this.client.idle && now >= this.#nextConnect && this.#phase !== 'gone') this.#connect(now)
    else if (this.client.connected) this.#live(now)
  }

  #connect(now: number): void {
    const broker = this.#cluster.any(this.random)
    this.#nextConnect = now + this.random.between(100, 500)
    this.#leavesAt = now + this.#span(this.#options.online)
    this.#pausesAt = now + this.#span(this.#options.pauses)
    this.#readsAt = Number.POSITIVE_INFINITY
    this.client.connect(broker.name, broker.clients.port, this.#phase === 'leaving' ? true : undefined)
  }

  #live(now: number): void {
    if (this.#phase === 'leaving') {
      this.#phase = 'gone'
      this.client.disconnect(true)
      return
    }
    if (this.#phase === 'settling') return
    if (now >= this.#leavesAt) {
      this.#nextConnect = now + this.#span(this.#options.offline)
      if (this.random.chance(this.#options.graceful ?? 0.5)) this.client.disconnect()
      else this.client.crash()
    } else if (now >= this.#readsAt) {
      this.client.resumeReading()
      this.#readsAt = Number.POSITIVE_INFINITY
      this.#pausesAt = now + this.#span(this.#options.pauses)
    } else if (now >= this.#pausesAt && this.#readsAt === Number.POSITIVE_INFINITY) {
      this.client.pauseReading()
      this.#readsAt = now + this.#span(this.#options.pauses)
    } else this.work()
  }

  /** What it does beside reading. */
  protected work(): void {}

  #span(span: Span | undefined): number {
    return span === undefined ? Number.POSITIVE_INFINITY : this.random.between(...span)
  }
}

export interface PublisherOptions extends DeviceOptions {
  readonly topics: readonly { readonly topic: string; readonly qos: 0 | 1 | 2 }[]
  /** Messages published in one tick, on average. */
  readonly rate: number
  readonly retain?: boolean
}

/** Messages of QoS 1 and 2 that may be on their way. */
const window = 20

/** Publishes all the time, to one of its topics after the other. */
export class Publisher extends Device {
  readonly #options: PublisherOptions

  constructor(options: PublisherOptions, surroundings: DeviceSurroundings) {
    super(options, surroundings)
    this.#options = options
  }

  protected override work(): void {
    const { topics, rate, retain = false } = this.#options
    let number = Math.floor(rate) + (this.random.chance(rate % 1) ? 1 : 0)
    for (; number > 0 && this.client.unfinished < window; number -= 1) {
      const { topic, qos } = this.random.pick(topics)
      const empty = retain && this.random.chance(0.1)
      const size = this.random.chance(0.02) ? 20_000 : this.random.between(0, 200)
      this.client.publish(topic, qos, { retain, empty, size })
    }
  }
}
