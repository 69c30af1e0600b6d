import { expect, test } from 'vitest'
import { persistenceCompliance } from '../src/compliance/persistence.ts'
import type {
  Delivery,
  Due,
  Message,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceHost,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '../src/index.ts'
import { Collector } from './collect.ts'
import { ReferencePersistence } from './reference-persistence.ts'

/** The titles of the tests that a store fails. */
async function failuresOf(Store: new () => Persistence): Promise<string[]> {
  const collector = new Collector()
  await persistenceCompliance({ test: collector.test, factory: () => new Store() })
  return collector.failures()
}

/** Stores that break one promise each, and a word of the title of a test that has to notice. */
const mutants: Record<string, readonly [notices: string, store: new () => Persistence]> = {
  'acknowledges nothing': [
    'removes acknowledged entries',
    class extends ReferencePersistence {
      override async acknowledge(): Promise<void> {}
    },
  ],
  'refuses to acknowledge what it does not know': [
    'ignores what it does not know',
    class extends ReferencePersistence {
      override async acknowledge(handle: SessionHandle, sequence: number): Promise<void> {
        const entries = this.session(handle).entries.length
        await super.acknowledge(handle, sequence)
        if (this.session(handle).entries.length === entries) throw new RangeError('unknown sequence')
      }
    },
  ],
  'acknowledges everything up to a sequence': [
    'removes acknowledged entries in any order',
    class extends ReferencePersistence {
      override async acknowledge(handle: SessionHandle, sequence: number): Promise<void> {
        const session = this.session(handle)
        session.entries = session.entries.filter(entry => entry.sequence > sequence)
      }
    },
  ],
  'fences nobody': [
    'refuses every call with an older handle',
    class extends ReferencePersistence {
      protected override session(handle: SessionHandle): ReturnType<ReferencePersistence['session']> {
        const current = this.data.sessions.get(handle.clientId)
        return super.session(current ?? handle)
      }
    },
  ],
  'does not tell the owner that it was fenced': [
    'tells the previous owner',
    class extends ReferencePersistence {
      override async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
        return super.openSession({ ...request, owner: { deliver: entry => request.owner.deliver(entry), fenced() {} } })
      }
    },
  ],
  'keeps a session over a clean start': [
    'ends an existing session at a clean start',
    class extends ReferencePersistence {
      override async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
        return super.openSession({ ...request, cleanStart: false })
      }
    },
  ],
  'stores a message without its packet id': [
    'records the packet id',
    class extends ReferencePersistence {
      override async publish(message: Message): Promise<number> {
        return super.publish(message)
      }
    },
  ],
  'stores the message before it looks at the receipt': [
    'refuses a receipt of an old handle with all that came with it',
    class extends ReferencePersistence {
      override async publish(message: Message, receipt?: Receipt): Promise<number> {
        const sessions = await super.publish(message)
        if (receipt !== undefined) this.session(receipt.session).received.add(receipt.packetId)
        return sessions
      }
    },
  ],
  'queues whatever it has once given as retained': [
    'queues no retained message that another one has overtaken',
    class extends ReferencePersistence {
      override async enqueueRetained(handle: SessionHandle, delivery: Delivery): Promise<void> {
        await super.enqueue(handle, [delivery])
      }
    },
  ],
  'keeps a view into the bytes of the publisher': [
    'keeps bytes of its own',
    class extends ReferencePersistence {
      override async enqueue(handle: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
        await super.enqueue(handle, deliveries)
        const { entries } = this.session(handle)
        for (const [index, entry] of entries.slice(-deliveries.length).entries()) {
          entry.message = deliveries[index]?.message ?? entry.message
        }
      }
    },
  ],
  'reads one entry too early': [
    'reads what is above `after`',
    class extends ReferencePersistence {
      override async read(handle: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
        return super.read(handle, after - 1, limit)
      }
    },
  ],
  'goes on offering after a refusal': [
    'offers nothing after a refusal',
    class extends ReferencePersistence {
      override async publish(message: Message, receipt?: Receipt): Promise<number> {
        for (const session of this.data.sessions.values()) if (session.open) session.open.behind = false
        return super.publish(message, receipt)
      }
    },
  ],
  'never offers again': [
    'offers nothing after a refusal until the owner has read',
    class extends ReferencePersistence {
      override async read(handle: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
        const behind = this.session(handle).open?.behind === true
        const entries = await super.read(handle, after, limit)
        const { open } = this.session(handle)
        if (open !== undefined) open.behind = behind
        return entries
      }
    },
  ],
  'forgets that an entry was released': [
    'shows released entries as released',
    class extends ReferencePersistence {
      override async release(handle: SessionHandle): Promise<void> {
        this.session(handle)
      }
    },
  ],
  'drops what was sent when the queue is full': [
    'never drops what was sent before',
    class extends ReferencePersistence {
      override async closeSession(handle: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
        const session = this.session(handle)
        const will = await super.closeSession(handle, closing)
        session.takenThrough = 0
        return will
      }
    },
  ],
  'keeps its queue without bounds': [
    'beyond maximumQueuedMessages',
    class extends ReferencePersistence {
      override async open(host: PersistenceHost): Promise<void> {
        const limits = { ...host.limits, maximumQueuedMessages: Infinity, maximumQueuedBytes: Infinity }
        await super.open({
          ...host,
          limits,
          groupReady: (group, publisher) => host.groupReady(group, publisher),
          dropped: drop => host.dropped(drop),
        })
      }
    },
  ],
  'returns a due will again and again': [
    'returns a delayed will when its delay is over, not before, and once',
    class extends ReferencePersistence {
      override async claimDue(limit: number): Promise<readonly Due[]> {
        const wills = new Map([...this.data.sessions.values()].map(session => [session, session.will]))
        const due = await super.claimDue(limit)
        for (const [session, will] of wills) session.will = will
        return due
      }
    },
  ],
  'publishes a waiting will though the session went on': [
    'drops a waiting will when the session goes on',
    class extends ReferencePersistence {
      override async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
        const waiting = this.data.sessions.get(request.clientId)?.will
        const opened = await super.openSession(request)
        return { ...opened, dueWill: opened.dueWill ?? waiting }
      }
    },
  ],
  'gives a shared message to every claimer': [
    'claim each message once',
    class extends ReferencePersistence {
      override async claim(handle: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
        const before = [...(this.data.groups.get(group) ?? [])]
        const entries = await super.claim(handle, group, limit)
        if (this.data.groups.has(group)) this.data.groups.set(group, before)
        return entries
      }
    },
  ],
  'loses the shared messages of a member that leaves': [
    'puts unacknowledged messages back',
    class extends ReferencePersistence {
      override async closeSession(handle: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
        const session = this.session(handle)
        session.entries = session.entries.filter(({ claimedFrom }) => claimedFrom === undefined)
        return super.closeSession(handle, closing)
      }
    },
  ],
  'gives a shared QoS 2 message away whose delivery had begun': [
    'leaves QoS 2 messages that were sent with their session',
    class extends ReferencePersistence {
      override async closeSession(handle: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
        this.data.putBack(this.session(handle), 0)
        return super.closeSession(handle, closing)
      }
    },
  ],
  'returns that no filter was there before': [
    'returns for each subscription whether its filter was there before',
    class extends ReferencePersistence {
      override async subscribe(handle: SessionHandle, subscriptions: readonly Subscription[]): Promise<boolean[]> {
        return (await super.subscribe(handle, subscriptions)).map(() => false)
      }
    },
  ],
  'matches retained topics without regard for $': [
    'retained messages that match #',
    class extends ReferencePersistence {
      override async retained(filter: string): Promise<RetainedPage> {
        return filter === '#' ? [...this.data.retained.values()] : super.retained(filter)
      }
    },
  ],
  'forgets everything when it is closed, yet calls itself durable': [
    'finds everything again',
    class extends ReferencePersistence {
      override async close(): Promise<void> {
        await super.close()
        this.data.sessions.clear()
        this.data.retained.clear()
      }
    },
  ],
  'opens twice': [
    'refuses a second open',
    class extends ReferencePersistence {
      override async open(host: PersistenceHost): Promise<void> {
        await this.close()
        await super.open(host)
      }
    },
  ],
  'answers before it is open': [
    'NOT_OPEN before it is open',
    class extends ReferencePersistence {
      override async claimDue(limit: number): Promise<readonly Due[]> {
        return this.host === undefined ? [] : super.claimDue(limit)
      }
    },
  ],
}

test('finds no fault with the reference store', async () => {
  expect(await failuresOf(ReferencePersistence)).toEqual([])
})

for (const [fault, [notices, store]] of Object.entries(mutants)) {
  test(`notices a store that ${fault}`, async () => {
    const failures = await failuresOf(store)
    expect(failures.filter(title => title.includes(notices))).not.toEqual([])
  })
}

test('tests that a store without shared subscriptions refuses them', async () => {
  class Unshared extends ReferencePersistence {
    override readonly supports = { durable: true, shared: true, sharedSubscriptions: false }
  }
  const failures = await failuresOf(Unshared)
  expect(failures).toEqual(['refuses shared subscriptions with NOT_SUPPORTED, and those asked for with them'])
})

test('tests that a store which is not durable forgets', async () => {
  class Forgetful extends ReferencePersistence {
    override readonly supports = { durable: false, shared: true, sharedSubscriptions: true }
  }
  const failures = await failuresOf(Forgetful)
  expect(failures).toEqual(['finds nothing again after close and open, as it declares not to be durable'])
})
