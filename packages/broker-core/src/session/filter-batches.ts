import type { MaybePromise, Slices } from '@x/contract'
import { after, isPromise } from '../ground/maybe-promise.ts'

/** Filters that are processed between two readings of the clock, and go to the store in one call: with a hook that takes 0.5 ms each,
 * this takes 16 ms. */
const batchSize = 32

/** Calls `effect` with batches of the items, in order, as long as the turn of the event loop allows, and goes on in later turns. MQTT
 * has a packet with many filters handled as so many packets with one ([MQTT5-3.8.4-5], [MQTT5-3.10.4-6]). */
export function inBatches<Item>(
  slices: Slices,
  items: readonly Item[],
  effect: (batch: readonly Item[]) => MaybePromise<unknown>,
): MaybePromise<void> {
  let begun = 0
  let pending: MaybePromise<unknown>
  const step = (): boolean => {
    const batch = items.slice(begun, begun + batchSize)
    begun += batchSize
    pending = effect(batch)
    return begun < items.length && !isPromise(pending)
  }
  const goOn = (): MaybePromise<void> =>
    begun < items.length
      ? after(slices.run(step), () => (isPromise(pending) ? pending.then(goOn) : undefined))
      : undefined
  return goOn()
}
