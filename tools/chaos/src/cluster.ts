import { join } from 'node:path'
import { BrokerProcess } from './broker-process.ts'
import type { Disk, Fault } from './fault-plan.ts'
import type { History } from './history.ts'
import type { Link } from './link.ts'
import { points } from './points.ts'
import type { Random } from './random.ts'
import { DirectoryService } from './directory-service.ts'
import { RedisService } from './redis-service.ts'
import type { StoreName, StoreService } from './store-service.ts'

/** Milliseconds that a point is waited for. */
const pointPatience = 2500

export interface ClusterOptions {
  readonly brokers: number
  readonly store: StoreName
  /** A primary and a replica; brokers wait for the replica. */
  readonly replicated: boolean
  readonly disk?: Disk
  /** Of each broker; default 1: a single process. */
  readonly workers?: number
  readonly directory: string
}

/** Brokers, Redis and the links between them; what is done to them is written down. */
export class Cluster {
  readonly brokers: readonly BrokerProcess[]
  readonly store: StoreService
  readonly #redis: RedisService | undefined
  readonly #files: DirectoryService | undefined
  readonly #history: History
  readonly #running = new Set<Promise<void>>()
  /** Faults that end by themselves; ended early when the run does. */
  readonly #healing = new Map<NodeJS.Timeout, () => void>()

  private constructor(brokers: readonly BrokerProcess[], store: StoreService, history: History) {
    this.brokers = brokers
    this.store = store
    this.#redis = store instanceof RedisService ? store : undefined
    this.#files = store instanceof DirectoryService ? store : undefined
    this.#history = history
  }

  static async open(options: ClusterOptions, history: History): Promise<Cluster> {
    const { brokers, directory, workers = 1 } = options
    const store =
      options.store === 'lmdb'
        ? new DirectoryService(directory, brokers, options.disk)
        : await RedisService.start(directory, options.replicated)
    const made = Array.from({ length: brokers }, (_, index) => {
      const name = `broker-${index}`
      return new BrokerProcess(name, { history, store, workers, logFile: join(directory, `${name}.log`) })
    })
    const cluster = new Cluster(made, store, history)
    await Promise.all(made.map(async broker => broker.open(cluster.#redis?.port ?? 0)))
    return cluster
  }

  /** A broker that takes connections, if there is one, else any. */
  any(random: Random): BrokerProcess {
    const up = this.brokers.filter(({ isUp }) => isUp)
    return random.pick(up.length > 0 ? up : this.brokers)
  }

  /** Does it, unless its target is busy with another fault. */
  strike(fault: Fault): void {
    const broker = 'broker' in fault ? this.brokers[fault.broker] : undefined
    const target = broker?.name ?? this.store.name
    switch (fault.kind) {
      case 'killRedis':
        this.#restartRedis(async redis => redis.kill(fault.downFor))
        break
      case 'loseUnreplicated':
        this.#restartRedis(async redis => redis.loseUnreplicated(fault.stalledFor, fault.downFor))
        break
      case 'rewindRedis':
        this.#restartRedis(async redis => {
          const since = this.#history.place
          await redis.remember()
          await new Promise(resolve => void setTimeout(resolve, fault.by))
          await redis.goBack(fault.downFor)
          this.#history.record({ kind: 'loss', since, everything: false })
        })
        break
      case 'emptyRedis':
        this.#restartRedis(async redis => {
          await redis.ask(async client => client.flushall())
          this.#history.record({ kind: 'loss', since: 0, everything: true })
        })
        break
      case 'fillRedis':
        void this.#redis?.fill().catch(() => undefined)
        this.#later(fault.duration, () => void this.#redis?.empty().catch(() => undefined))
        break
      case 'freezeRedis':
        this.#redis?.freeze()
        this.#later(fault.duration, () => this.#redis?.thaw())
        break
      case 'fillDisk':
        this.#files?.fill()
        this.#later(fault.duration, () => this.#files?.empty())
        break
      case 'storm':
        break
      default:
        if (broker !== undefined) this.#strikeBroker(broker, fault)
    }
    const { kind, ...detail } = fault
    this.#history.record({ kind: 'fault', fault: kind, target, detail: JSON.stringify(detail) })
  }

  /** Everything runs and every link is whole. */
  async heal(): Promise<void> {
    for (const [timer, action] of this.#healing) {
      clearTimeout(timer)
      action()
    }
    this.#healing.clear()
    await Promise.all(this.#running)
    for (const broker of this.brokers) {
      broker.clients.disarm()
      broker.redis.disarm()
      broker.clients.heal()
      broker.redis.heal()
      broker.continue()
    }
    while (this.brokers.some(({ isUp }) => !isUp)) await new Promise(resolve => void setTimeout(resolve, 50))
  }

  async close(): Promise<void> {
    await Promise.all(this.brokers.map(async broker => broker.close()))
  }

  #strikeBroker(broker: BrokerProcess, fault: Extract<Fault, { broker: number }>): void {
    switch (fault.kind) {
      case 'kill':
        this.#kill(broker, fault.downFor, 'at random')
        break
      case 'killAtPoint':
        this.#atPoint(broker, fault.point, where => this.#kill(broker, fault.downFor, where))
        break
      case 'cutAtPoint':
        this.#atPoint(broker, fault.point, (where, link) => {
          link.end()
          this.#history.record({ kind: 'fault', fault: 'cut', target: broker.name, detail: where })
        })
        break
      case 'stop':
        broker.stop()
        this.#later(fault.duration, () => broker.continue())
        break
      case 'cutLink':
      case 'stallLink':
      case 'slowLink': {
        const link = broker[fault.link]
        if (fault.kind === 'cutLink') link.cut()
        else if (fault.kind === 'stallLink') link.stall(...fault.directions)
        else {
          link.delay = fault.delay
          link.end()
        }
        this.#later(fault.duration, () => link.heal())
      }
    }
  }

  #kill(broker: BrokerProcess, downFor: number, where: string): void {
    broker.kill(downFor)
    this.#history.record({ kind: 'fault', fault: 'killed', target: broker.name, detail: where })
  }

  #atPoint(broker: BrokerProcess, name: string, act: (where: string, link: Link) => void): void {
    const point = points.find(one => one.name === name)
    if (point === undefined) throw new Error(`there is no point '${name}'`)
    const link = broker[point.link]
    const giveUp = this.#later(pointPatience, () => {
      link.disarm()
      act('at random', link)
    })
    link.arm(point, () => {
      this.#healing.delete(giveUp)
      clearTimeout(giveUp)
      // Redis gets a moment to run what was sent to it.
      setTimeout(() => act(name, link), point.watches === point.holds ? 0 : 30)
    })
  }

  #restartRedis(restart: (redis: RedisService) => Promise<unknown>): void {
    const redis = this.#redis
    if (this.#running.size > 0 || redis === undefined) return
    const running = restart(redis).then(() => {
      for (const broker of this.brokers) {
        broker.redis.target = redis.port
        broker.redis.end()
      }
      this.#running.delete(running)
    })
    this.#running.add(running)
  }

  #later(milliseconds: number, action: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#healing.delete(timer)
      action()
    }, milliseconds)
    this.#healing.set(timer, action)
    return timer
  }
}
