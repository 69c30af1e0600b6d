import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import type { Logger } from '@x/contract'
import type { StoreConfig } from '../config/schema.ts'
import { SharedFiles } from './shared-files.ts'
import { isReport, noNumbers, placeVariable, together } from './worker-messages.ts'
import type { CommonOrder, PeerMessage, WorkerNumbers, WorkerOrder, WorkerPlace } from './worker-messages.ts'

/** ms: a worker that lived for less is forked again later each time. */
const shortLife = 10_000
const firstDelay = 100
const lastDelay = 10_000
/** ms between two times that workers hear the numbers of the others. Each tells its own once a second: answering each would be the square of
 * the workers. */
const tellInterval = 500

/** How the primary runs its workers. */
export interface PrimaryOptions {
  readonly workers: number
  readonly logger: Logger
  /** Of all workers; what is in memory for one is kept in files there for several. */
  readonly store: StoreConfig
  /** A worker wants something of all of them. */
  readonly asked: (order: CommonOrder) => void
  /** ms for a worker to close; then it is killed. */
  readonly closeTimeout: number
}

interface Slot {
  readonly number: number
  worker: Worker
  startedAt: number
  /** It accepts connections. */
  isReady: boolean
  failures: number
  numbers: WorkerNumbers | undefined
}

/** Forks workers and watches them; owns no client. */
export class Primary {
  readonly #options: PrimaryOptions
  readonly #slots: Slot[] = []
  /** Those that do not accept connections yet. */
  readonly #starting = new Set<Worker>()
  readonly #files = new SharedFiles()
  #place: Pick<WorkerPlace, 'store' | 'mesh'> | undefined
  /** The worker that has the bridges; it may have ended. */
  #carrier: Worker | undefined
  /** What workers that have ended had counted: counters never go back. */
  #departed: WorkerNumbers = noNumbers
  /** The others are told soon. */
  #telling: NodeJS.Timeout | undefined
  #isRolling = false
  #isStopping = false

  constructor(options: PrimaryOptions) {
    this.#options = options
  }

  /** Settles when all workers accept connections, or the first one could not start: then with the code that it has exited with; with 0
   * when it was stopped meanwhile.
   * @throws Error of Node, when there is no place for temporary files */
  async begin(): Promise<number | undefined> {
    const { workers, logger, store } = this.#options
    this.#place = await this.#files.placeFor(store)
    // What keeps one from starting keeps all: it is said once.
    const code = this.#isStopping ? 0 : await this.#start(1)
    if (this.#isStopping || code !== undefined) this.#files.remove()
    if (this.#isStopping) return 0
    if (code !== undefined) return code
    await Promise.all(Array.from({ length: workers - 1 }, async (_, index) => this.#start(index + 2)))
    if (this.#isStopping) return 0
    logger.info({ workers }, `${workers} workers accept connections`)
    return undefined
  }

  /** All workers do the same. Those that are starting may have read the configuration before; only of what is logged they hear nothing yet. */
  tellAll(order: CommonOrder): void {
    const starting = order.kind === 'logged' ? [] : this.#starting
    for (const worker of new Set([...this.#slots.map(slot => slot.worker), ...starting])) tell(worker, order)
  }

  /** Replaces one worker after the other: each new one accepts connections before the old one closes. */
  async roll(): Promise<void> {
    if (this.#isRolling) return
    this.#isRolling = true
    await this.#roll()
    this.#isRolling = false
  }

  /** Closes all workers; those that are starting have no client yet, and are ended. Settles when they have ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const ended = [...this.#starting].map(exitOf)
    for (const worker of this.#starting) worker.process.kill('SIGKILL')
    await Promise.all([...ended, ...this.#slots.map(async ({ worker }) => this.#close(worker))])
    this.#files.remove()
  }

  /** Ends all at once. */
  kill(): void {
    this.#isStopping = true
    for (const { worker } of this.#slots) worker.process.kill('SIGKILL')
    for (const worker of this.#starting) worker.process.kill('SIGKILL')
    this.#files.remove()
  }

  async #start(number: number): Promise<number | undefined> {
    const worker = this.#fork(number)
    const startedAt = performance.now()
    const slot: Slot = { number, worker, startedAt, isReady: false, failures: 0, numbers: undefined }
    const code = await readiness(worker)
    // One that was killed did not refuse: another one is forked, as later.
    if (code !== undefined && number === 1 && worker.process.signalCode === null) return code
    this.#slots.push(slot)
    this.#watch(slot, worker)
    if (code === undefined) this.#accepts(slot)
    return undefined
  }

  #fork(number: number): Worker {
    const place = { number, isFirst: this.#slots.length === 0, ...this.#place }
    const worker = cluster.fork({ [placeVariable]: JSON.stringify(place) })
    this.#starting.add(worker)
    void readiness(worker).then(() => this.#starting.delete(worker))
    return worker
  }

  #watch(slot: Slot, worker: Worker): void {
    this.#depart(slot)
    slot.worker = worker
    slot.startedAt = performance.now()
    slot.isReady = false
    worker.on('message', message => {
      if (!isReport(message) || slot.worker !== worker) return
      if (message.kind === 'ready') this.#accepts(slot)
      else if (message.kind === 'asks') this.#options.asked(message.order)
      else if (message.kind === 'question' || message.kind === 'answer') this.#carry(slot.number, message)
      else {
        slot.numbers = message.numbers
        this.#tellOthersSoon()
      }
    })
    const ended = (): void => void this.#ended(slot, worker)
    if (worker.isDead()) ended()
    else worker.once('exit', ended)
  }

  #accepts(slot: Slot): void {
    slot.isReady = true
    this.#placeBridges()
  }

  /** One worker at a time has the bridges, and the next one when it has ended: the newest, so that they move once when all are replaced. */
  #placeBridges(): void {
    if (this.#isStopping || this.#carrier?.isDead() === false) return
    const ready = this.#slots.filter(({ isReady, worker }) => isReady && !worker.isDead())
    const newest = ready.toSorted((one, other) => other.startedAt - one.startedAt)[0]
    this.#carrier = newest?.worker
    if (this.#carrier !== undefined) tell(this.#carrier, { kind: 'bridge' })
  }

  async #ended(slot: Slot, worker: Worker): Promise<void> {
    this.#placeBridges()
    if (slot.worker !== worker || this.#isStopping) return
    const { exitCode, signalCode } = worker.process
    this.#depart(slot)
    slot.failures = performance.now() - slot.startedAt < shortLife ? slot.failures + 1 : 0
    const delay = slot.failures < 2 ? 0 : Math.min(lastDelay, firstDelay * 2 ** (slot.failures - 2))
    const { number } = slot
    const how = signalCode ?? `code ${exitCode}`
    this.#options.logger.error(
      { worker: number, delay },
      `worker ${number} has ended (${how}): another one begins in ${delay} ms`,
    )
    await new Promise(resolve => void setTimeout(resolve, delay))
    if (!this.#isStopping) this.#watch(slot, this.#fork(number))
  }

  async #roll(): Promise<void> {
    const { logger } = this.#options
    for (const slot of this.#slots) {
      if (this.#isStopping) return
      const next = this.#fork(slot.number)
      const code = await readiness(next)
      if (this.#isStopping) return
      if (code !== undefined) {
        logger.error(
          { worker: slot.number },
          `a new worker ${slot.number} did not start (code ${code}): the old ones stay`,
        )
        return
      }
      const old = slot.worker
      this.#watch(slot, next)
      this.#accepts(slot)
      await this.#close(old)
    }
    logger.info({ workers: this.#slots.length }, 'all workers were replaced')
  }

  /** One that is gone, or has not begun, says nothing. */
  #carry(from: number, { to, ...message }: { readonly to: number } & PeerMessage): void {
    const slot = this.#slots.find(({ number }) => number === to)
    if (slot !== undefined) tell(slot.worker, { ...message, from })
  }

  #tellOthersSoon(): void {
    if (this.#telling === undefined) this.#telling = setTimeout(() => this.#tellOthers(), tellInterval).unref()
  }

  #tellOthers(): void {
    this.#telling = undefined
    for (const slot of this.#slots) {
      const others = this.#slots.flatMap(({ numbers }) => numbers ?? []).filter(numbers => numbers !== slot.numbers)
      tell(slot.worker, { kind: 'others', numbers: together([this.#departed, ...others]) })
    }
  }

  /** The worker of this slot goes, or is gone. */
  #depart(slot: Slot): void {
    if (slot.numbers === undefined) return
    const { counters, errors, latencies } = slot.numbers
    const { clientsConnected: _gone, ...lasting } = counters
    this.#departed = together([this.#departed, { ...noNumbers, counters: lasting, errors, latencies }])
    slot.numbers = undefined
  }

  async #close(worker: Worker): Promise<void> {
    if (worker.isDead()) return
    const ended = exitOf(worker)
    tell(worker, { kind: 'stop' })
    const insist = setTimeout(() => worker.process.kill('SIGKILL'), this.#options.closeTimeout)
    await ended
    clearTimeout(insist)
  }
}

async function exitOf(worker: Worker): Promise<void> {
  await new Promise<void>(resolve => void worker.once('exit', () => resolve()))
}

/** Undefined: it accepts connections. Otherwise the code that it has exited with. */
async function readiness(worker: Worker): Promise<number | undefined> {
  return new Promise(resolve => {
    worker.on('message', message => {
      if (isReport(message) && message.kind === 'ready') resolve(undefined)
    })
    worker.once('exit', code => resolve(code ?? 1))
  })
}

/** One that is just ending hears nothing. */
function tell(worker: Worker, order: WorkerOrder): void {
  if (worker.isConnected()) worker.send(order, () => undefined)
}
