import type { EmitterHost } from '@x/contract'
import type { IncomingFrame } from './message-frame.ts'

/** What a delivery line needs, and whom it tells. */
export interface DeliveryLineHost {
  readonly deliver: EmitterHost['deliver']
  /** All of the frame is delivered, or what is left of it can't be read. */
  done(frame: IncomingFrame, number: number | undefined, error: unknown): void
}

/** Messages of one other broker on their way in: one after the other, at once where nobody has to be waited for. */
export class DeliveryLine {
  readonly #host: DeliveryLineHost
  readonly #frames: IncomingFrame[] = []
  #waits = false
  #closed = false

  constructor(host: DeliveryLineHost) {
    this.#host = host
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0
  }

  push(frame: IncomingFrame): void {
    this.#frames.push(frame)
    if (!this.#waits) this.#run()
  }

  close(): void {
    this.#closed = true
  }

  #run(): void {
    for (let frame = this.#frames[0]; frame !== undefined && !this.#closed; frame = this.#frames[0]) {
      const error = this.#deliverAll(frame)
      if (this.#waits) return
      this.#frames.shift()
      this.#host.done(frame, frame.number, error)
    }
  }

  /** Returns what is wrong with the frame. */
  #deliverAll(frame: IncomingFrame): unknown {
    while (frame.hasMore && !this.#closed) {
      let delivered: ReturnType<IncomingFrame['next']>
      try {
        delivered = frame.next()
      } catch (error) {
        return error
      }
      const answer = this.#host.deliver(delivered.message, delivered.groups)
      if (typeof answer === 'object' && answer !== null) {
        this.#waits = true
        const goOn = (): void => {
          this.#waits = false
          this.#run()
        }
        answer.then(goOn, goOn)
        return undefined
      }
    }
    return undefined
  }
}
