import type { Turn, Yielding } from '../connection/turn.ts'

/** A shared group, as far as it is served here. */
interface ServedGroup {
  /** Has its members claim what waits in the store. */
  serve(): void
}

interface ReadyGroupsHost {
  readonly turn: Turn
  /** Reports a step that has failed and that nobody waits for. */
  fail(error: unknown, code: 'CLAIM_FAILED'): void
}

/** Units of `Turn.credit` for a claim and what it brings. */
const unitsEach = 2

/** Shared groups in which messages wait. One message may come to thousands of groups: those for which the turn has no time left are served
 * in the next ones. */
export class ReadyGroups implements Yielding {
  readonly #host: ReadyGroupsHost
  /** A group is in it once, however many messages have come to it: its members claim all of them. */
  readonly #waiting = new Set<ServedGroup>()

  constructor(host: ReadyGroupsHost) {
    this.#host = host
  }

  /** A message waits in the group. */
  add(group: ServedGroup): void {
    if (this.#waiting.size === 0 && !this.#isOver()) {
      group.serve()
      return
    }
    if (this.#waiting.size === 0) this.#host.turn.giveWay(this)
    this.#waiting.add(group)
  }

  goOn(): boolean {
    for (const group of this.#waiting) {
      this.#waiting.delete(group)
      try {
        group.serve()
      } catch (error) {
        this.#host.fail(error, 'CLAIM_FAILED')
      }
      if (this.#waiting.size > 0 && this.#isOver()) {
        this.#host.turn.giveWay(this)
        return true
      }
    }
    return false
  }

  #isOver(): boolean {
    const { turn } = this.#host
    turn.credit -= unitsEach
    return turn.credit <= 0 && turn.isOver()
  }
}
