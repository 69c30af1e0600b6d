import type { SessionHandle } from '@x/contract'

/** `a`: acknowledge, `r`: release, `c`: complete. */
export type SettlementKind = 'a' | 'r' | 'c'

/** Milliseconds that a settlement may wait for others. */
const longestWait = 10
/** Settlements that are sent without waiting for more. */
const largestBatch = 64

/** Milliseconds until what could not be sent is tried again. */
const retryDelay = 250

/** What the settlements of one session in one batch are answered with. */
interface Waiting {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

export interface SettlementsHost {
  /** Answers 1 for each that was carried out, 0 for each that was fenced. */
  settle(parameters: readonly (string | number)[]): Promise<readonly number[]>
  fenced(handle: SessionHandle): Error
  /** Whether the same call may succeed later. */
  mayRetry(error: unknown): boolean
}

/** Acknowledgements of clients on their way to Redis: nobody waits for one, so they travel together.
 *
 * What Redis could not be told is told later: a client does not say it twice, and a QoS 2 message whose end was forgotten
 * would be sent again. All of it may be repeated. */
export class Settlements {
  readonly #host: SettlementsHost
  #parameters: (string | number)[] = []
  #handles: SessionHandle[] = []
  #waiting = new Map<string, Waiting>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(host: SettlementsHost) {
    this.#host = host
  }

  /** Settlements of one session in one batch share their answer. */
  add(handle: SessionHandle, kind: SettlementKind, number: number): Promise<void> {
    this.#parameters.push(handle.clientId, handle.epoch, kind, number)
    this.#handles.push(handle)
    let waiting = this.#waiting.get(handle.epoch)
    if (waiting === undefined) {
      waiting = deferred()
      this.#waiting.set(handle.epoch, waiting)
    }
    if (this.#handles.length >= largestBatch) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), longestWait)
    return waiting.promise
  }

  /** Sends what waits: before anything else that a session asks for. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#handles.length === 0) return
    const [parameters, handles, waiting] = [this.#parameters, this.#handles, this.#waiting]
    this.#parameters = []
    this.#handles = []
    this.#waiting = new Map()
    void this.#send(parameters, handles, waiting)
  }

  /** Sends the rest, and tries nothing again. */
  close(): void {
    this.flush()
    this.#closed = true
  }

  async #settle(parameters: readonly (string | number)[]): Promise<readonly number[]> {
    for (;;) {
      try {
        return await this.#host.settle(parameters)
      } catch (error) {
        if (this.#closed || !this.#host.mayRetry(error)) throw error
        await new Promise(resolve => void setTimeout(resolve, retryDelay).unref())
      }
    }
  }

  async #send(
    parameters: readonly (string | number)[],
    handles: readonly SessionHandle[],
    waiting: ReadonlyMap<string, Waiting>,
  ): Promise<void> {
    try {
      const answers = await this.#settle(parameters)
      handles.forEach((handle, index) => {
        if (answers[index] === 0) waiting.get(handle.epoch)?.reject(this.#host.fenced(handle))
      })
      for (const one of waiting.values()) one.resolve()
    } catch (error) {
      for (const one of waiting.values()) one.reject(error)
    }
  }
}

function deferred(): Waiting {
  let settle: Omit<Waiting, 'promise'> | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, resolve: () => settle?.resolve(), reject: error => settle?.reject(error) }
}
