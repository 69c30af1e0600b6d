/** A call on its way. */
interface Link {
  /** Sessions that publish with it. */
  readonly publishers: ReadonlySet<string>
  /** What one before it has failed with, so that Redis refuses it. */
  refusal: Error | undefined
}

/** Messages that wait for the end of their turn, and then for their call. */
export interface WaitingMessages {
  /** What a call before theirs has failed with meanwhile. */
  missed: Error | undefined
}

/** A call as Redis is told of it. */
export interface ChainedCall {
  readonly number: number
  /** The call that Redis must have carried out before; 0: whichever it was. */
  readonly behind: number
}

/** The calls with messages that have no answer yet. Redis may refuse one for want of memory and have some for the next, which is on its way
 * by then: a publisher that sends both again would have them in another order. So each call names the one before it, and Redis refuses it
 * when it has not carried that one out. */
export class CallChain {
  readonly #calls = new Map<number, Link>()
  #waiting: WaitingMessages | undefined
  #last = 0

  /** Messages wait now for a call, which begins with them. */
  wait(): WaitingMessages {
    this.#waiting = { missed: undefined }
    return this.#waiting
  }

  /** @param publishers epochs of the sessions whose messages it brings
   * @param waited if these messages have waited: they are no less behind what has failed meanwhile than what was on its way */
  begin(publishers: ReadonlySet<string>, waited?: WaitingMessages): ChainedCall {
    const before = this.#calls.get(this.#last)
    // Refused calls are not part of the chain, which starts again behind them.
    const isAnew = waited?.missed === undefined && (before === undefined || before.refusal !== undefined)
    const behind = isAnew ? 0 : this.#last
    this.#last += 1
    this.#calls.set(this.#last, { publishers, refusal: waited?.missed })
    if (this.#waiting === waited) this.#waiting = undefined
    return { number: this.#last, behind }
  }

  succeeded({ number }: ChainedCall): void {
    this.#calls.delete(number)
  }

  /** Returns what its publishers are told: what the first one has failed with. */
  failed({ number }: ChainedCall, error: Error): Error {
    const reason = this.#calls.get(number)?.refusal ?? error
    this.#calls.delete(number)
    for (const [later, link] of this.#calls) if (later > number) link.refusal ??= reason
    if (this.#waiting !== undefined) this.#waiting.missed ??= reason
    return reason
  }

  /** What a further message of this session has to fail with, since one before it will; undefined: it may be sent. */
  refusalOf(publisher: string): Error | undefined {
    for (const { publishers, refusal } of this.#calls.values()) {
      if (refusal === undefined) return undefined
      if (publishers.has(publisher)) return refusal
    }
    return undefined
  }
}
