import { expect, test } from 'vitest'
import { emitterCompliance } from '../src/compliance/emitter.ts'
import type { EmitterHost, Message } from '../src/index.ts'
import { Collector } from './collect.ts'
import { Hub, ReferenceEmitter } from './reference-emitter.ts'

/** The titles of the tests that an emitter fails. */
async function failuresOf(Subject: typeof ReferenceEmitter, reportsPresence = true): Promise<string[]> {
  const collector = new Collector()
  const factory = (): { emitter: () => ReferenceEmitter } => {
    const hub = new Hub()
    return { emitter: () => new Subject(hub) }
  }
  emitterCompliance({ test: collector.test, factory, reportsPresence })
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
        this.routes.delete(filter)
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
        void this.host?.deliver(message)
      }
    },
  ],
  'turns the order of neighbours round': [
    'keeps the order of one publisher',
    class extends ReferenceEmitter {
      #held: Message | undefined
      protected override receive(message: Message, sender: string): void {
        const held = this.#held
        this.#held = held === undefined ? message : undefined
        if (held === undefined) return
        super.receive(message, sender)
        super.receive(held, sender)
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
          deliver: message => host.deliver(message),
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

test('tests that an emitter which declares no presence reports none', async () => {
  expect(await failuresOf(ReferenceEmitter, false)).toEqual(['says nothing of other brokers, as it declares'])
})
