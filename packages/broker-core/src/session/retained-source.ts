import type { MaybePromise, Message, RetainedPage } from '@x/contract'
import { isPromise } from '../ground/maybe-promise.ts'

/** - `nothing`: this step found no message; there may be more
 * - `waits`: the next page is on its way from the store
 * - `end`: there are no more messages */
export type Given = Message | 'nothing' | 'waits' | 'end'

/** The retained messages of one filter, as the store returns them: one by one, or in pages that may be outdated when their turn comes. A
 * message of a page is skipped when a newer one of its topic was sent. */
export class RetainedSource {
  /** A page that was loaded as a whole, and the position in it. */
  #page: Map<string, Message> | undefined
  #place: Iterator<Message> | undefined
  #iterator: Iterator<Message | undefined> | undefined
  #more: (() => MaybePromise<RetainedPage>) | undefined
  /** Topics of newer messages that were sent while a page was on its way. */
  #overtaken: Set<string> | undefined
  readonly #tell: () => void
  /** Settles when the page has come; it does not reject. */
  arriving: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  /** @param arrived - called when a page has come, or failed */
  constructor(ask: () => MaybePromise<RetainedPage>, arrived: () => void) {
    this.#tell = arrived
    this.#ask(ask)
  }

  /** @throws the store's error */
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

  /** A newer message of the topic was sent to the client. */
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
