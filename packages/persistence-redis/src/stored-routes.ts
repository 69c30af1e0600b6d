import { Confirmations, followDuration } from '@x/redis-connection'
import type { NumberedChange, RedisConnection } from '@x/redis-connection'
import { fieldsOf } from './news.ts'
import type { StoreCalls } from './calls/store-calls.ts'
import { UnroutedTopics } from './publishing/unrouted-topics.ts'

/** What brokers tell each other about the filters of stored sessions and shared groups: that there are new ones, and that this is
 * known. */
export class StoredRoutes {
  readonly unrouted: UnroutedTopics
  readonly #base: string
  readonly #instance: string
  readonly #confirmations: Confirmations

  constructor(calls: StoreCalls, parts: { connection: RedisConnection; base: string; instance: string }) {
    this.unrouted = new UnroutedTopics(async () => Number(await calls.call('follow', followDuration)))
    const { connection, base, instance } = parts
    this.#base = base
    this.#instance = instance
    this.#confirmations = new Confirmations({
      timeout: followDuration,
      unconfirmed: () => undefined,
      atTurnEnd: task => connection.atTurnEnd(task),
      say: async (origin, number) => {
        const channel = this.#confirmationsOf(origin)
        await connection.command(channel, 'PUBLISH', channel, `${number} ${instance}`)
      },
    })
  }

  get channels(): readonly string[] {
    return [`${this.#base}n`, this.#confirmationsOf(this.#instance)]
  }

  /** Something was said on one of the channels. */
  hear(channel: string, payload: Buffer): void {
    if (channel === `${this.#base}n`) {
      const [number, origin, ...filters] = fieldsOf(payload).map(String)
      if (origin !== undefined) this.#hearFilters(Number(number), origin, filters)
    } else {
      const [number, broker = ''] = payload.toString().split(' ', 2)
      this.#confirmations.confirmed(broker, Number(number))
    }
  }

  /** Adds filters, and resolves when all who say for themselves which topics nobody takes know them, or have to ask again.
   * @param add returns the number of the last new filter, and who they are */
  async add(add: () => Promise<NumberedChange>): Promise<void> {
    await this.#confirmations.change(add)
  }

  close(): void {
    this.#confirmations.close()
  }

  #hearFilters(number: number, origin: string, filters: readonly string[]): void {
    this.unrouted.hear(number, filters)
    if (origin === this.#instance) this.#confirmations.confirmed(origin, number)
    else this.#confirmations.confirm(origin, number)
  }

  #confirmationsOf(instance: string): string {
    return `${this.#base}k:${instance}`
  }
}
