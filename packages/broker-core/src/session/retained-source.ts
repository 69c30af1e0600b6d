import type { MaybePromise, Message, RetainedPage } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'

/** - `nothing`: a small step has found nothing; there may be more
 * - `waits`: what comes next is on its way from the store
 * - `end`: there is no more */
export type Given = Message | 'nothing' | 'waits' | 'end'

/** The retained messages of one filter, as the store gives them: one by one as they are at that moment, or in pages that grow old while
 * they wait. Of a page nothing is given out that a newer message of its topic has overtaken. */
export class RetainedSource {
  /** A page that is there as a whole, and the place in it. */
  #page: Map<string, Message> | undefined
  #place: Iterator<Message> | undefined
  #iterator: Iterator<Message | undefined> | undefined
  #more: (() => MaybePromise<RetainedPage>) | undefined
  /** Topics of newer messages that went out while a page was on its way. */
  #overtaken: Set<string> | undefined
  readonly #tell: () => void
  /** Settles when the page on its way is there; it does not reject. */
  arriving: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  /** @param arrived - called when a page that was on its way is there, or failed */
  constructor(ask: () => MaybePromise<RetainedPage>, arrived: () => void) {
    this.#tell = arrived
    this.#ask(ask)
  }

  /** @throws what the store has failed with */
  next(): Given {
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.arriving !== undefined) return 'waits'
    if (this.#iterator !== undefined) {
      const { done, value } = this.#iterator.next()
      if (done !== true) return value ?? 'nothing'
      this.#iterator = undefined
    } else if (this.#place !== undefined) {
      const { done, value } = this.#place.next()
      if (done !== true) return value
      this.#place = undefined
      this.#page = undefined
    }
    if (this.#more === undefined) return 'end'
    this.#ask(this.#more)
    return 'nothing'
  }

  /** A newer message of the topic has gone out to the client. */
  overtaken(topic: string): void {
    this.#page?.delete(topic)
    this.#overtaken?.add(topic)
  }

  #ask(ask: () => MaybePromise<RetainedPage>): void {
    const asked = ask()
    if (!isPromise(asked)) {
      this.#arrived(asked)
      return
    }
    this.#overtaken = new Set()
    this.arriving = asked
      .then(
        page => this.#arrived(page),
        (error: unknown) => {
          this.#failure = { error }
        },
      )
      .then(() => {
        this.arriving = undefined
        this.#tell()
      })
  }

  #arrived(page: RetainedPage): void {
    const overtaken = this.#overtaken
    this.#overtaken = undefined
    this.#more = page.more
    if (Array.isArray(page)) {
      this.#page = new Map()
      for (const message of page as readonly Message[]) {
        if (overtaken?.has(message.topic) !== true) this.#page.set(message.topic, message)
      }
      this.#place = this.#page.values()
    } else this.#iterator = page[Symbol.iterator]()
  }
}
