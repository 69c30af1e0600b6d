import { performance } from 'node:perf_hooks'

/** Milliseconds for which a broker goes by what it has heard, counted from when it asked whether that is all. */
export const followDuration = 1000
/** Milliseconds after which it asks again. */
const followInterval = 400

/** Whether a broker may go by the changes that it has heard on a channel, without asking Redis.
 *
 * Now and then it asks whether it has heard all of them, and Redis notes that it follows, for {@link followDuration}. Whoever makes a
 * change waits until all that follow have confirmed it, or that time is over. So neither a process that was stopped nor one that was
 * cut off goes by something old: it knows by its own clock until when it may. */
export class Following {
  readonly #ask: () => Promise<boolean>
  #until = 0
  #askAt = 0
  #asking: Promise<boolean> | undefined

  /** @param ask notes in Redis that this broker follows; returns whether it has heard everything that had changed until then */
  constructor(ask: () => Promise<boolean>) {
    this.#ask = ask
  }

  /** Asks again in time. */
  get isReliable(): boolean {
    const now = performance.now()
    if (now >= this.#askAt) this.renew().catch(ignore)
    return now < this.#until
  }

  /** Asks now. Returns whether it may go by what it has heard; rejects as `ask` does. */
  renew(): Promise<boolean> {
    this.#asking ??= this.#renew(performance.now()).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** What was heard is forgotten: it asks before it goes by anything again. */
  restart(): void {
    this.#until = 0
    this.#askAt = 0
  }

  async #renew(now: number): Promise<boolean> {
    this.#askAt = now + followInterval
    const isReliable = await this.#ask()
    if (isReliable) this.#until = now + followDuration
    return isReliable
  }
}

/** Until there is an answer, it is not reliable. */
function ignore(): void {}
