/** A call on its way. */
interface Link {
  /** Sessions that publish with it. */
  readonly publishers: ReadonlySet<string>
  /** What one before it has failed with, so that Redis refuses it. */
  refusal: Error | undefined
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
  #last = 0

  /** @param publishers epochs of the sessions whose messages it brings */
  begin(publishers: ReadonlySet<string>): ChainedCall {
    const before = this.#calls.get(this.#last)
    // Those that Redis refuses are no part of the chain: it begins anew behind them.
    const behind = before === undefined || before.refusal !== undefined ? 0 : this.#last
    this.#last += 1
    this.#calls.set(this.#last, { publishers, refusal: undefined })
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
