import { expect, test } from 'vitest'
import { emitterCompliance } from '../src/compliance/emitter.ts'
import type { EmitterHost, Message } from '../src/index.ts'
import { Collector } from './collect.ts'
import { Hub, ReferenceEmitter } from './reference-emitter.ts'

/** The titles of the tests that an emitter fails. */
async function failuresOf(
  Subject: typeof ReferenceEmitter,
  declared: { reportsPresence?: boolean; takesTurns?: boolean } = {},
): Promise<string[]> {
  const collector = new Collector()
  const factory = (): { emitter: () => ReferenceEmitter } => {
    const hub = new Hub()
    return { emitter: () => new Subject(hub) }
  }
  emitterCompliance({ test: collector.test, factory, ...declared })
  return collector.failures()
}

/** Emitters that break one promise each, and a word of the title of a test that has to notice. */
const mutants: Record<string, readonly [notices: string, emitter: typeof ReferenceEmitter]> = {
  'brings a message back to its publisher': [
    'never brings a message back',
    class extends ReferenceEmitter {
      protected override others(): ReferenceEmitter[] {
        return [...this.hub.members]
      }
    },
  ],
  'brings a copy for every route': [
    'brings one copy',
    class extends ReferenceEmitter {
      override async publish(message: Message): Promise<void> {
        await super.publish(message)
        for (const other of this.others()) {
          if (other instanceof ReferenceEmitter && other.routeCount() > 1) await super.publish(message)
        }
      }
    },
  ],
  'brings everything to everybody': [
    'and to none without',
    class extends ReferenceEmitter {
      protected override wants(): boolean {
        return true
      }
    },
  ],
  'does not count routes': [
    'counts routes',
    class extends ReferenceEmitter {
      override async removeRoute(filter: string): Promise<void> {
        this.routes.delete(`2${filter}`)
      }
    },
  ],
  'keeps routes for ever': [
    'counts routes',
    class extends ReferenceEmitter {
      override async removeRoute(): Promise<void> {}
    },
  ],
  'waits for no answer of deliver': [
    'holds back further messages',
    class extends ReferenceEmitter {
      protected override receive(message: Message): void {
        void this.host?.deliver(message, [])
      }
    },
  ],
  'turns the order of neighbours round': [
    'keeps the order of one publisher',
    class extends ReferenceEmitter {
      #held: Message | undefined
      protected override receive(message: Message, sender: string, groups: readonly string[]): void {
        const held = this.#held
        this.#held = held === undefined ? message : undefined
        if (held === undefined) return
        super.receive(message, sender, groups)
        super.receive(held, sender, groups)
      }
    },
  ],
  'lets small messages overtake large ones': [
    'large messages among small ones',
    class extends ReferenceEmitter {
      override async publish(message: Message): Promise<void> {
        if (message.payload.length > 1000) await new Promise(setImmediate)
        await super.publish(message)
      }
    },
  ],
  'forgets a route that is added while it is being removed': [
    'added, removed and added',
    class extends ReferenceEmitter {
      override async removeRoute(filter: string): Promise<void> {
        await new Promise(setImmediate)
        this.routes.delete(`2${filter}`)
      }
    },
  ],
  'does not count shared groups among those it reaches': [
    'never denies',
    class extends ReferenceEmitter {
      override reaches(topic: string): boolean {
        return !topic.startsWith('shared/') && super.reaches(topic)
      }
    },
  ],
  'has every broker of a shared group serve it': [
    'to one broker of a shared group',
    class extends ReferenceEmitter {
      override async publish(message: Message): Promise<void> {
        for (const other of this.others()) {
          if (other instanceof ReferenceEmitter) other.takeAll(message, this.hub.groupsOf(message.topic))
        }
      }
    },
  ],
  'never gives its own broker a turn': [
    'among those that take turns',
    class extends ReferenceEmitter {
      override takesTurn(): boolean {
        return false
      }
    },
  ],
  'brings nothing to a route that needs QoS 0 alone': [
    'to a route that needs no more',
    class extends ReferenceEmitter {
      override async addRoute(filter: string, maximumQoS?: 0 | 2): Promise<void> {
        if (maximumQoS !== 0) await super.addRoute(filter, maximumQoS)
      }
    },
  ],
  'says that it reaches nobody': [
    'from the answer to addRoute on',
    class extends ReferenceEmitter {
      override reaches(): boolean {
        return false
      }
    },
  ],
  'leaves the properties behind': [
    'brings everything that a message carries',
    class extends ReferenceEmitter {
      override async publish(message: Message): Promise<void> {
        await super.publish({ ...message, properties: undefined })
      }
    },
  ],
  'loses what was published when its publisher closes': [
    'though their publisher closes at once',
    class extends ReferenceEmitter {
      override async publish(message: Message): Promise<void> {
        setImmediate(() => {
          if (this.host !== undefined) void super.publish(message)
        })
      }
    },
  ],
  'sends bytes that are not its own': [
    'bytes that stay what they were',
    class extends ReferenceEmitter {
      override async publish(message: Message): Promise<void> {
        for (const other of this.others()) {
          if (other instanceof ReferenceEmitter) other.take(message)
        }
      }
    },
  ],
  'announces to its own broker': [
    'where a client is connected now',
    class extends ReferenceEmitter {
      override async announce(clientId: string): Promise<void> {
        await super.announce(clientId)
        this.host?.takenOver(clientId)
      }
    },
  ],
  'still hears others when it is closed': [
    'tells a closed broker nothing',
    class extends ReferenceEmitter {
      override async close(): Promise<void> {
        const { host } = this
        await super.close()
        this.host = host
        this.hub.members.add(this)
      }
    },
  ],
  'does not tell who is gone': [
    'tells when another broker is gone',
    class extends ReferenceEmitter {
      override async open(host: EmitterHost): Promise<void> {
        await super.open({
          brokerId: host.brokerId,
          deliver: (message, groups) => host.deliver(message, groups),
          takenOver: clientId => host.takenOver(clientId),
          presence() {},
        })
      }
    },
  ],
}

test('finds no fault with the reference emitter', async () => {
  expect(await failuresOf(ReferenceEmitter)).toEqual([])
})

for (const [fault, [notices, emitter]] of Object.entries(mutants)) {
  test(`notices an emitter that ${fault}`, async () => {
    const failures = await failuresOf(emitter)
    expect(failures.filter(title => title.includes(notices))).not.toEqual([])
  })
}

test('tests that an emitter which declares that brokers take no turns gives them none', async () => {
  expect(await failuresOf(ReferenceEmitter, { takesTurns: false })).toEqual([
    'leaves shared groups to each broker, as it declares',
  ])
})

test('tests that an emitter which declares no presence reports none', async () => {
  expect(await failuresOf(ReferenceEmitter, { reportsPresence: false })).toEqual([
    'says nothing of other brokers, as it declares',
  ])
})
