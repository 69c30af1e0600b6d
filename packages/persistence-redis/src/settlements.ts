import type { SessionHandle } from '@x/contract'

/** `a`: acknowledge, `r`: release, `c`: complete. */
export type SettlementKind = 'a' | 'r' | 'c'

/** Milliseconds that a settlement may wait for others. */
const longestWait = 10
/** Settlements that are sent without waiting for more. */
const largestBatch = 64

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
}

/** Acknowledgements of clients on their way to Redis: nobody waits for one, so they travel together. */
export class Settlements {
  readonly #host: SettlementsHost
  #parameters: (string | number)[] = []
  #handles: SessionHandle[] = []
  #waiting = new Map<string, Waiting>()
  #timer: NodeJS.Timeout | undefined

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

  async #send(
    parameters: readonly (string | number)[],
    handles: readonly SessionHandle[],
    waiting: ReadonlyMap<string, Waiting>,
  ): Promise<void> {
    try {
      const answers = await this.#host.settle(parameters)
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
