import type { SessionHandle } from '@x/contract'
import { PersistentCall, Repetitions } from './persistent-call.ts'

/** `a`: acknowledge, `r`: release, `c`: complete. */
export type SettlementKind = 'a' | 'r' | 'c'

/** Milliseconds that an acknowledgement may wait for others. The rest goes out with its turn: clients wait for it. */
const longestWait = 10
/** Settlements that are sent without waiting for more. */
const largestBatch = 64

/** The settlements of one session in one batch, which share their answer. */
interface Waiting {
  readonly handle: SessionHandle
  /** Kind and number of each, or first and last number of what is acknowledged in a row: `a5-8c3`. */
  text: string
  /** Of the row at the end of it. */
  last: number | undefined
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

/** What settlements need, and whom they tell. */
export interface SettlementsHost {
  /** Takes client, epoch and settlements of each session; returns 1 for each, and 0 for one that is fenced. */
  settle(parameters: readonly string[]): Promise<readonly number[]>
  fenced(handle: SessionHandle): Error
  /** Whether the same call may succeed later. */
  mayRetry(error: unknown): boolean
}

/** Acknowledgements of clients on their way to Redis: they travel together.
 *
 * What Redis could not be told is told later: a client does not say it twice, and a QoS 2 message whose end was forgotten
 * would be sent again. All of it may be repeated. */
export class Settlements {
  readonly #host: SettlementsHost
  #waiting = new Map<string, Waiting>()
  #size = 0
  #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  readonly #repetitions = new Repetitions()
  #closed = false

  constructor(host: SettlementsHost) {
    this.#host = host
  }

  add(handle: SessionHandle, kind: SettlementKind, number: number): Promise<void> {
    let waiting = this.#waiting.get(handle.epoch)
    if (waiting === undefined) {
      waiting = waitingOf(handle)
      this.#waiting.set(handle.epoch, waiting)
    }
    append(waiting, kind, number)
    this.#size += 1
    if (this.#size >= largestBatch) this.flush()
    else if (kind !== 'a') this.#soon ??= setImmediate(() => this.flush())
    else this.#timer ??= setTimeout(() => this.flush(), longestWait)
    return waiting.promise
  }

  /** Sends what waits: before anything else that a session asks for. */
  flush(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#soon)
    this.#timer = undefined
    this.#soon = undefined
    if (this.#size === 0) return
    const waiting = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#size = 0
    void this.#send(waiting)
  }

  /** Sends the rest, and tries nothing again. */
  close(): void {
    this.flush()
    this.#closed = true
  }

  async #send(waiting: readonly Waiting[]): Promise<void> {
    try {
      const parameters = waiting.flatMap(one => [one.handle.clientId, one.handle.epoch, textOf(one)])
      const { answered } = new PersistentCall(
        async () => this.#host.settle(parameters),
        error => !this.#closed && this.#host.mayRetry(error),
        this.#repetitions,
      )
      const answers = await answered
      waiting.forEach((one, index) => {
        if (answers[index] === 0) one.reject(this.#host.fenced(one.handle))
        else one.resolve()
      })
    } catch (error) {
      for (const one of waiting) one.reject(error)
    }
  }
}

function append(waiting: Waiting, kind: SettlementKind, number: number): void {
  if (kind === 'a' && number === (waiting.last ?? NaN) + 1) {
    waiting.last = number
    return
  }
  waiting.text = `${textOf(waiting)}${kind}${number}`
  waiting.last = kind === 'a' ? number : undefined
}

/** With the end of the row. */
function textOf({ text, last }: Waiting): string {
  return last === undefined ? text : `${text}-${last}`
}

function waitingOf(handle: SessionHandle): Waiting {
  let settle: Pick<Waiting, 'resolve' | 'reject'> | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return {
    handle,
    text: '',
    last: undefined,
    promise,
    resolve: () => settle?.resolve(),
    reject: error => settle?.reject(error),
  }
}
