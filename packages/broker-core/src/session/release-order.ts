import type { MaybePromise } from '@x/contract'

/** Has PUBRELs go out in the order of their PUBRECs (MQTT 5.0 §4.6), each once the store has the PUBREC: PUBREL ends the client's memory
 * of the packet identifier, so if the store could still forget the PUBREC, the message would be sent twice. */
export class ReleaseOrder {
  /** Settles when the last PUBREL that waits was sent; undefined: none waits. */
  #last: Promise<void> | undefined

  get isIdle(): boolean {
    return this.#last === undefined
  }

  /** Calls `send` once `stored` and everything before it is done; `failed` gets the error of `stored`. */
  add(stored: MaybePromise<unknown>, send: () => void, failed: (error: unknown) => void): void {
    const last = this.#sendAfter(Promise.all([this.#last, stored]), send, failed).then(() => {
      if (this.#last === last) this.#last = undefined
    })
    this.#last = last
  }

  async #sendAfter(stored: Promise<unknown>, send: () => void, failed: (error: unknown) => void): Promise<void> {
    try {
      await stored
    } catch (error) {
      failed(error)
    }
    send()
  }
}
