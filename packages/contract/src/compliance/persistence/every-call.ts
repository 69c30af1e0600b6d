import type { SessionHandle } from '../../persistence.ts'
import { RecordingOwner, subscriptionOf } from './bench.ts'
import type { Bench } from './bench.ts'

/** Every call that needs an open store, by name. */
export function everyCall(bench: Bench, handle: SessionHandle): Record<string, () => unknown> {
  const { store } = bench
  const owner = new RecordingOwner()
  const request = { clientId: 'other', cleanStart: false, sessionExpiryInterval: 100, will: undefined, owner }
  return {
    openSession: () => store.openSession(request),
    publish: () => store.publish(bench.message()),
    retained: () => store.retained('#'),
    claimDue: () => store.claimDue(10),
    counts: () => store.counts(),
    ...(store.holdTask !== undefined && { holdTask: () => store.holdTask?.('task') }),
    ...(store.giveUpTask !== undefined && { giveUpTask: () => store.giveUpTask?.('task') }),
    ...everySessionCall(bench, handle),
  }
}

/** Every call that needs an open session, by name. `closeSession` comes last. */
export function everySessionCall(bench: Bench, handle: SessionHandle): Record<string, () => unknown> {
  const { store } = bench
  const message = bench.message({ text: 'by an old handle', retain: true, topic: 'a' })
  const delivery = { message, qos: 1 as const, retain: false, subscriptionIdentifiers: undefined }
  return {
    subscribe: () => store.subscribe(handle, [subscriptionOf({ filter: 'old' })]),
    unsubscribe: () => store.unsubscribe(handle, ['a']),
    'publish with a receipt': () => store.publish(message, { session: handle, packetId: 9 }),
    enqueue: () => store.enqueue(handle, [delivery]),
    ...(store.enqueueRetained !== undefined && { enqueueRetained: () => store.enqueueRetained?.(handle, delivery) }),
    read: () => store.read(handle, 0, 10),
    entry: () => store.entry(handle, 1),
    acknowledge: () => store.acknowledge(handle, 1),
    release: () => store.release(handle, 2),
    complete: () => store.complete(handle, 5),
    claim: () => store.claim(handle, '$share/g/s', 10),
    closeSession: () => store.closeSession(handle, { sessionExpiryInterval: 0, will: 'publish', sentThrough: 0 }),
  }
}
