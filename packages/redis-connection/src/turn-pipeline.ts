import calculateSlot from 'cluster-key-slot'
import type { ChainableCommander, Redis } from 'ioredis'
import { isCluster } from './redis-target.ts'
import type { RedisClient } from './redis-target.ts'
import { RedisError } from './redis-error.ts'

/** What a command may have as a parameter. */
export type RedisArgument = string | number | Buffer

/** Milliseconds that replicas are waited for while they are known to be missing. */
const shortestWait = 250

/** One command on its way. */
interface Call {
  /** Decides the node; all keys of the command have its hash tag. */
  readonly key: string
  readonly command: readonly [name: string, ...parameters: RedisArgument[]]
  /** It resolves only after replicas have confirmed it. */
  readonly isReplicated: boolean
  resolve(answer: unknown): void
  reject(error: unknown): void
}

interface Flight {
  readonly sentAt: number
  calls: readonly Call[]
}

/** What the pipeline asks of its owner. */
export interface PipelineHost {
  readonly client: RedisClient
  /** Milliseconds until a call without an answer fails with `REDIS_TIMEOUT`. */
  readonly commandTimeout: number
  /** Replicas that must have confirmed what a flush has written, before it is answered; 0: none. */
  readonly replicas: number
  /** Redis has stopped answering. */
  stalled(): void
  /** A task has thrown. The others, and the calls, go on. */
  taskFailed(error: unknown): void
}

/** Sends all calls of one event-loop turn together: one flush for each node. Answers come in the order of the calls. With replicas to
 * wait for, those of the turns that pass until there is an answer go together. */
export class TurnPipeline {
  readonly #host: PipelineHost
  #calls: Call[] = []
  /** What is to be done before they are sent. */
  #tasks: (() => void)[] = []
  #scheduled = false
  readonly #flights = new Set<Flight>()
  #timer: NodeJS.Timeout | undefined
  /** Replicas did not confirm what was sent last. */
  #lacksReplicas = false
  #closed = false

  constructor(host: PipelineHost) {
    this.#host = host
  }

  /** @param manner whether replicas must have confirmed it, if there have to be any */
  send(
    key: string,
    command: readonly [string, ...RedisArgument[]],
    manner: 'replicated' | 'unreplicated',
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new RedisError('REDIS_CLOSED', { message: 'the connection to Redis is closed' }))
        return
      }
      this.#schedule()
      this.#calls.push({ key, command, isReplicated: manner === 'replicated', resolve, reject })
    })
  }

  /** Runs the task at the end of this turn; what it sends goes out with the rest. */
  atTurnEnd(task: () => void): void {
    this.#schedule()
    this.#tasks.push(task)
  }

  /** Sends the waiting calls at once, and resolves when all calls that were sent have a reply. */
  async drain(): Promise<void> {
    this.#flush()
    if (this.#isIdle) return
    await new Promise<void>(resolve => {
      const check = (): void => void (this.#isIdle ? resolve() : setTimeout(check, 2))
      check()
    })
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== undefined) clearInterval(this.#timer)
    this.#timer = undefined
    this.#failAll(new RedisError('REDIS_CLOSED', { message: 'the connection to Redis is closed' }))
  }

  get #isIdle(): boolean {
    return this.#flights.size === 0 && this.#calls.length === 0
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    for (const task of this.#tasks.splice(0)) this.#run(task)
    this.#scheduled = false
    this.sendNow()
  }

  #run(task: () => void): void {
    try {
      task()
    } catch (error) {
      this.#host.taskFailed(error)
    }
  }

  /** Sends the calls made until now. */
  sendNow(): void {
    const calls = this.#calls
    const { client, replicas } = this.#host
    // Redis sends no reply while it waits for replicas, and waits once for each flight: the waits would add up.
    if (calls.length === 0 || (replicas > 0 && this.#flights.size > 0)) return
    this.#calls = []
    if (!isCluster(client)) {
      this.#launch(calls)
      return
    }
    const byNode = new Map<string, Call[]>()
    for (const call of calls) {
      const node = (client.slots[calculateSlot(call.key)] ?? []).join()
      const ofNode = byNode.get(node)
      if (ofNode === undefined) byNode.set(node, [call])
      else ofNode.push(call)
    }
    for (const ofNode of byNode.values()) this.#launch(ofNode)
  }

  #launch(calls: readonly Call[]): void {
    const flight: Flight = { sentAt: performance.now(), calls }
    this.#flights.add(flight)
    this.#watch()
    const { client, replicas } = this.#host
    const isReplicated = replicas > 0 && calls.some(call => call.isReplicated)
    // Until the client is ready a pipeline decides: single commands that Redis takes while it loads would go to a server of which nobody knows
    // yet whether it is the primary.
    if (isReplicated || isCluster(client) || client.status !== 'ready')
      void this.#fly(flight, isReplicated ? replicas : 0)
    else this.#write(flight, client)
  }

  /** Every call by itself, and all of them in one write: a pipeline of ioredis is an object of hundreds of methods, which takes longer to make
   * than Redis takes to answer. */
  #write(flight: Flight, client: Redis): void {
    const { calls } = flight
    let open = calls.length
    const settled = (): void => {
      open -= 1
      if (open === 0) this.#landed(flight)
    }
    // Undefined before there is a connection.
    const stream = client.stream as Redis['stream'] | undefined
    stream?.cork()
    for (const call of calls) {
      const [name, ...parameters] = call.command
      client.callBuffer(name, ...parameters).then(
        answer => {
          call.resolve(answer)
          settled()
        },
        (error: unknown) => {
          call.reject(error)
          settled()
        },
      )
    }
    stream?.uncork()
  }

  async #fly(flight: Flight, replicas: number): Promise<void> {
    const { client } = this.#host
    try {
      const pipeline: ChainableCommander = client.pipeline()
      for (const { command } of flight.calls) append(pipeline, command)
      if (isCluster(client)) keepAtNode(pipeline, flight.calls)
      if (replicas > 0) append(pipeline, ['WAIT', replicas, this.#patience])
      const results = (await pipeline.exec()) ?? []
      const confirmed = replicas === 0 ? 0 : Number(results.at(-1)?.[1] ?? 0)
      if (replicas > 0) this.#lacksReplicas = confirmed < replicas
      flight.calls.forEach((call, index) => {
        const [error, answer] = results[index] ?? [new Error('Connection is closed.'), undefined]
        if (error !== null && error !== undefined) call.reject(error)
        else if (call.isReplicated && confirmed < replicas) call.reject(notReplicated(confirmed, replicas))
        else call.resolve(answer)
      })
    } catch (error) {
      for (const call of flight.calls) call.reject(error)
    } finally {
      this.#landed(flight)
    }
  }

  #landed(flight: Flight): void {
    this.#flights.delete(flight)
    if (this.#calls.length > 0) this.#schedule()
  }

  /** Milliseconds. */
  get #patience(): number {
    const patience = Math.ceil(this.#host.commandTimeout / 2)
    return this.#lacksReplicas ? Math.min(patience, shortestWait) : patience
  }

  /** One coarse timer for all calls, and only while some are on their way. */
  #watch(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#checkAge(), Math.max(10, this.#host.commandTimeout / 4))
    this.#timer.unref()
  }

  #checkAge(): void {
    const [oldest] = this.#flights
    if (oldest === undefined) {
      clearInterval(this.#timer)
      this.#timer = undefined
    } else if (performance.now() - oldest.sentAt >= this.#host.commandTimeout) {
      // If it was this process that stood still, the answer is there to be read.
      setImmediate(() => {
        if (this.#flights.has(oldest)) this.#fail()
      })
    }
  }

  #fail(): void {
    const { commandTimeout } = this.#host
    this.#failAll(new RedisError('REDIS_TIMEOUT', { message: `Redis has not answered for ${commandTimeout} ms` }))
    this.#host.stalled()
  }

  #failAll(error: RedisError): void {
    for (const call of this.#calls) call.reject(error)
    this.#calls = []
    for (const flight of this.#flights) {
      for (const call of flight.calls) call.reject(error)
      flight.calls = []
    }
    this.#flights.clear()
  }
}

function append(pipeline: ChainableCommander, [name, ...parameters]: Call['command']): void {
  pipeline.callBuffer(name, ...parameters)
}

/** Commands without a key. */
const keyless = new Set(['PUBLISH', 'SCAN'])

/** What has no key ioredis sends to any node: what is said by one comes before or after what is said by another, and one has none of the keys
 * that another one has. */
function keepAtNode(pipeline: ChainableCommander, calls: readonly Call[]): void {
  const [first] = calls
  if (first !== undefined && calls.every(({ command: [name] }) => keyless.has(name)))
    append(pipeline, ['EXISTS', first.key])
}

function notReplicated(confirmed: number, replicas: number): RedisError {
  return new RedisError('REDIS_NOT_REPLICATED', {
    message: `${confirmed} replica(s) have confirmed the write, ${replicas} are needed`,
  })
}
