import type { Message, Persistence, PersistenceHost, QueueEntry, RetainedPage, SessionHandle } from '@x/contract'
import { Slices, systemClock } from '@x/contract'

/** Takes everything, and remembers it. */
export class Owner {
  readonly taken: QueueEntry[] = []
  fencedCount = 0
  deliver(entry: QueueEntry): boolean {
    this.taken.push(entry)
    return true
  }
  fenced(): void {
    this.fencedCount += 1
  }
  get texts(): string[] {
    return this.taken.map(({ message }) => message.payload.toString())
  }
}

let brokers = 0

/** A broker of its own each time. */
export const host = (): PersistenceHost => ({
  brokerId: `broker-${(brokers += 1)}`,
  clock: systemClock,
  slices: new Slices(),
  limits: { maximumQueuedMessages: 1000, maximumQueuedBytes: 1e6, overflow: 'dropOldest' },
  groupReady: () => undefined,
  dropped: () => undefined,
})

export function messageOf(text: string, topic = 'a'): Message {
  return {
    topic,
    payload: Buffer.from(text),
    qos: 2,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: 'publisher',
    brokerId: 'broker',
    brokerCounter: 1,
  }
}

/** Opens a stored session that subscribes to `a` with QoS 2. */
export async function session(
  store: Persistence,
  clientId: string,
  owner = new Owner(),
): Promise<[SessionHandle, Owner]> {
  const { handle } = await store.openSession({
    clientId,
    cleanStart: false,
    sessionExpiryInterval: 1000,
    will: undefined,
    owner,
  })
  const options = { qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
  await store.subscribe(handle, [{ filter: 'a', ...options, subscriptionIdentifier: undefined }])
  return [handle, owner]
}

/** What the filter finds, of all pages. */
export async function allRetained(store: Persistence, filter: string): Promise<Message[]> {
  const found: Message[] = []
  let page: RetainedPage | undefined = await store.retained(filter)
  while (page !== undefined) {
    for (const message of page) if (message !== undefined) found.push(message)
    page = await page.more?.()
  }
  return found
}
