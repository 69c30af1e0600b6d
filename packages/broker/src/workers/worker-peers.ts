import type { MaybePromise, Peers } from '@x/contract'

/** ms that another worker has for its answer. */
const answerTimeout = 2000

/** How questions and answers leave this process. */
export interface PeersHost {
  readonly number: number
  /** Numbers of the others that there are now, ascending. */
  others(): readonly number[]
  sendQuestion(to: number, id: number, question: object): void
  sendAnswer(to: number, id: number, answer: object): void
}

/** The other workers, as this one asks them. The primary carries questions and answers. */
export class WorkerPeers implements Peers {
  readonly #host: PeersHost
  /** Questions that have no answer yet, by their numbers. */
  readonly #open = new Map<number, (answer: object | undefined) => void>()
  #last = 0
  #answer: ((question: object) => MaybePromise<object>) | undefined

  constructor(host: PeersHost) {
    this.#host = host
  }

  get own(): number {
    return this.#host.number
  }

  get others(): readonly number[] {
    return this.#host.others()
  }

  serve(answer: (question: object) => MaybePromise<object>): void {
    this.#answer = answer
  }

  async ask(worker: number, question: object): Promise<object | undefined> {
    this.#last += 1
    const id = this.#last
    return new Promise(resolve => {
      const timer = setTimeout(() => settle(undefined), answerTimeout)
      const settle = (answer: object | undefined): void => {
        clearTimeout(timer)
        this.#open.delete(id)
        resolve(answer)
      }
      this.#open.set(id, settle)
      this.#host.sendQuestion(worker, id, question)
    })
  }

  /** Another worker asks. What can't be answered stays without an answer, as from a worker that is gone. */
  async asked(from: number, id: number, question: object): Promise<void> {
    try {
      const answer = await this.#answer?.(question)
      if (answer !== undefined) this.#host.sendAnswer(from, id, answer)
    } catch {
      // The broker is not open, or closes: who asks is told by the silence.
    }
  }

  /** Without effect for a question whose time is over. */
  answered(id: number, answer: object): void {
    this.#open.get(id)?.(answer)
  }
}
