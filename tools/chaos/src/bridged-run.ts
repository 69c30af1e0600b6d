import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from './broker-process.ts'
import { bridgedViolationsOf } from './checks/all.ts'
import { Device, Publisher } from './device.ts'
import type { DeviceSurroundings } from './device.ts'
import { History } from './history.ts'
import { Link } from './link.ts'
import { Random } from './random.ts'
import { RecordingClient } from './recording-client.ts'
import type { RunResult } from './run.ts'
import type { StoreService } from './store-service.ts'

export interface BridgedRunOptions {
  readonly seed: number
  /** Of faults; the waiting afterwards comes on top. */
  readonly milliseconds: number
  /** That the bridge speaks. */
  readonly version: 4 | 5
}

/** Milliseconds. */
const tickInterval = 25
const silence = 2000
const longestRest = 60_000
/** Seconds; half of the silence after which the bridge takes its link for dead. */
const keepAlive = 5

const faults = ['killHere', 'killThere', 'killBoth', 'cut', 'stallUp', 'stallDown', 'stallBoth'] as const
type BridgedFault = (typeof faults)[number]

/** Two brokers with a directory each and a bridge from the first to the second, and clients of both: each publishes what all subscribers of
 * either are to get. The brokers are killed, and the link of the bridge is cut and stalled. */
export async function runBridged({ seed, milliseconds, version }: BridgedRunOptions): Promise<RunResult> {
  const directory = mkdtempSync(join(tmpdir(), `bridged-${seed}-`))
  const history = new History(join(directory, 'history.ndjson'))
  const random = new Random(seed)
  const pair = new BridgedPair(directory, history, version)
  await pair.open()
  const sides = [pair.here, pair.there]
  const clients: Device[] = sides.flatMap(side => subscribersOf(side, { history, random }))
  const started = performance.now()
  const ticking = setInterval(() => {
    for (const client of clients) client.tick(performance.now() - started)
  }, tickInterval)
  try {
    while (!clients.every(({ isSettled }) => isSettled)) await pause(tickInterval)
    clients.push(...sides.flatMap(side => publishersOf(side, { history, random })))
    for (let at = 0; at < milliseconds;) {
      const until = random.between(200, 1500)
      await pause(until)
      at += until + (await pair.strike(random.pick(faults), random))
    }
    pair.heal()
    for (const client of clients) client.settle()
    await rest(clients, history)
  } finally {
    clearInterval(ticking)
    for (const { client } of clients) client.crash()
    await pair.close()
    history.close()
  }
  return {
    history: history.events,
    violations: bridgedViolationsOf(history.events),
    directory,
    clients: clients.length,
  }
}

/** The brokers, and the link between them. */
class BridgedPair {
  readonly here: BrokerProcess
  readonly there: BrokerProcess
  readonly #link = new Link()
  readonly #history: History
  readonly #configuration: string
  readonly #version: 4 | 5

  constructor(directory: string, history: History, version: 4 | 5) {
    this.#history = history
    this.#version = version
    this.#configuration = join(directory, 'bridge.json')
    const place = (name: string, parameters: readonly string[]): BrokerProcess =>
      new BrokerProcess(name, {
        history,
        workers: 1,
        logFile: join(directory, `${name}.log`),
        store: ownStore(['--data', join(directory, name), ...parameters]),
      })
    this.here = place('here', ['--config', this.#configuration])
    this.there = place('there', [])
  }

  /** Resolves when messages go through. */
  async open(): Promise<void> {
    await this.#link.listen()
    const bridge = {
      name: 'house',
      clientId: 'bridge',
      addresses: `mqtt://127.0.0.1:${this.#link.port}`,
      topics: [{ filter: 'data/#', direction: 'both', qos: 2 }],
      protocolVersion: this.#version,
      keepAlive,
      connectTimeout: 3000,
      reconnectDelay: { least: 20, greatest: 300 },
    }
    writeFileSync(this.#configuration, JSON.stringify({ bridges: [bridge] }))
    await Promise.all([this.here.open(0), this.there.open(0)])
    this.#link.target = this.there.clients.port
    await this.#connected()
  }

  /** Does it, and returns how many ms it took. */
  async strike(fault: BridgedFault, random: Random): Promise<number> {
    this.#history.record({ kind: 'fault', fault, target: 'bridge' })
    const duration = random.chance(0.2) ? random.between(2000, 4000) : random.between(20, 1000)
    switch (fault) {
      case 'killHere':
        this.#kill(this.here, duration)
        break
      case 'killThere':
        this.#kill(this.there, duration)
        break
      case 'killBoth':
        this.#kill(this.here, duration)
        this.#kill(this.there, random.between(20, 1000))
        break
      case 'cut':
        this.#link.cut()
        break
      case 'stallUp':
        this.#link.stall('up')
        break
      case 'stallDown':
        this.#link.stall('down')
        break
      default:
        this.#link.stall('up', 'down')
    }
    await pause(duration)
    // What was stalled ends with its connection half of the time, so that nothing of it passes.
    if (random.chance(0.5)) this.#link.end()
    this.#link.heal()
    return duration
  }

  heal(): void {
    this.#link.heal()
  }

  async close(): Promise<void> {
    await Promise.all([this.here.close(), this.there.close()])
    this.#link.close()
  }

  #kill(broker: BrokerProcess, downFor: number): void {
    broker.kill(downFor)
    this.#history.record({ kind: 'fault', fault: 'killed', target: broker.name, detail: 'at random' })
  }

  /** The bridge tells its own broker when it lets messages through. */
  async #connected(): Promise<void> {
    const told = new History('/dev/null')
    const subscriptions = [{ filter: '$SYS/broker/connection/bridge/state', qos: 1 }] as const
    const watcher = new RecordingClient({ id: 'watcher', version: 5, persistent: false, subscriptions }, told)
    const state = (): string | undefined =>
      told.events.flatMap(event => (event.kind === 'received' ? [event.message] : [])).at(-1)
    while (state() !== '1') {
      if (watcher.idle) watcher.connect('here', this.here.clients.port)
      await pause(tickInterval)
    }
    watcher.crash()
    told.close()
  }
}

function ownStore(parameters: readonly string[]): StoreService {
  return {
    name: 'lmdb',
    joinsBrokers: false,
    parameters: () => parameters,
    hasWills: async () => false,
    leftovers: async () => [],
    close: async () => undefined,
  }
}

/** Each side's publishers and subscribers stay at their broker. Both subscribers of a side want what is published on either. */
function subscribersOf(broker: BrokerProcess, surroundings: Omit<DeviceSurroundings, 'cluster'>): Device[] {
  const subscriptions = [{ filter: 'data/#', qos: 2 }] as const
  return ([4, 5] as const).map(
    version =>
      new Device(
        { id: `s${version}-${broker.name}`, version, persistent: true, subscriptions },
        surroundingsOf(broker, surroundings),
      ),
  )
}

function publishersOf(broker: BrokerProcess, surroundings: Omit<DeviceSurroundings, 'cluster'>): Publisher[] {
  return ([4, 5] as const).map(version => {
    const id = `p${version}-${broker.name}`
    const topics = ([0, 1, 2] as const).flatMap(qos =>
      ['a', 'b'].map(last => ({ topic: `data/${id}/${qos}/${last}`, qos })),
    )
    return new Publisher({ id, version, persistent: true, topics, rate: 0.5 }, surroundingsOf(broker, surroundings))
  })
}

function surroundingsOf(
  broker: BrokerProcess,
  { history, random }: Omit<DeviceSurroundings, 'cluster'>,
): DeviceSurroundings {
  return { cluster: { any: () => broker }, history, random: random.fork() }
}

async function rest(clients: readonly Device[], history: History): Promise<void> {
  const started = history.now
  for (;;) {
    await pause(100)
    const unsettled = clients.filter(({ isSettled }) => !isSettled).map(({ client }) => client.id)
    const last = history.events.findLast(({ kind }) => kind === 'received')?.at ?? 0
    const isSilent = history.now - Math.max(last, started) > silence
    if ((unsettled.length > 0 || !isSilent) && history.now - started < longestRest) continue
    const isSettled = unsettled.length === 0 && isSilent
    history.record({ kind: 'quiet', settled: isSettled, detail: isSettled ? '' : `waiting: ${unsettled.join(', ')}` })
    return
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, milliseconds))
}
