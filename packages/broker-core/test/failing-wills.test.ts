import type { Emitter, EmitterHost, Message, Receipt } from '@x/contract'
import { expect, test } from 'vitest'
import type { BrokerOptions } from '../src/index.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { property } from './support/property.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBrokerWithClock } from './support/start-broker.ts'
import type { TestBrokerWithClock } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'

// Messages that the engine publishes by itself: whatever keeps one of them from being published, or fails when it is, ends nothing.

/** Ways in which an `authorizePublish` refuses the will on topic `w` and nothing else. */
const refusals: Readonly<Record<string, NonNullable<BrokerOptions['authorizePublish']>>> = {
  'calls back with an error': (_client, { topic }, done) => done(topic === 'w' ? new Error('no') : null),
  'calls back with an error later': (_client, { topic }, done) => {
    setImmediate(() => done(topic === 'w' ? new Error('no') : null))
  },
  throws: (_client, { topic }) => {
    if (topic === 'w') throw new Error('no')
  },
  'throws undefined': (_client, { topic }) => {
    if (topic === 'w') throw undefined
  },
  rejects: async (_client, { topic }) => {
    if (topic === 'w') throw new Error('no')
  },
  'rejects with 0': (_client, { topic }) => (topic === 'w' ? Promise.reject(0) : undefined),
  'never answers': (_client, { topic }, done) => (topic === 'w' ? undefined : done()),
  'reads a client that it is not given': (client, { topic }) => {
    if (topic === 'w') throw new Error(`no, ${(client as unknown as { missing: { id: string } }).missing.id}`)
  },
  'makes it unpublishable': (_client, packet) => {
    if (packet.topic === 'w') packet.topic = 'w/#'
  },
}

const lasting = { cleanStart: false, properties: property.sessionExpiryInterval(60) } as const

interface Occasion {
  readonly will?: readonly number[]
  /** Brings the will about; connections that are left. */
  act(server: TestBrokerWithClock, client: RawClient): Promise<number>
}

/** When a will is published. */
const occasions: Readonly<Record<string, Occasion>> = {
  cut: {
    act: async (server, client) => {
      await server.drop(client)
      return 1
    },
  },
  'take-over': {
    act: async (server, client) => {
      await server.connect({ ...lasting, clientId: 'c' })
      await client.closed()
      return 2
    },
  },
  delay: {
    will: property.willDelayInterval(2),
    act: async (server, client) => {
      await server.drop(client)
      await server.pass(4000)
      return 1
    },
  },
  'end of the session at a take-over': {
    will: property.willDelayInterval(20),
    act: async (server, client) => {
      await server.connect({ clientId: 'c' })
      await client.closed()
      return 2
    },
  },
}

interface Life {
  readonly server: TestBrokerWithClock
  readonly bystander: RawClient
  readonly clientErrors: Error[]
}

/** A client with a will on `w` whose occasion comes, and a bystander that subscribes to everything. */
async function liveAndDie(occasion: Occasion, options: Partial<BrokerOptions>): Promise<Life> {
  const watched = watchProcess()
  const server = await startBrokerWithClock({ hookTimeout: 1000, ...options })
  const clientErrors: Error[] = []
  server.broker.on('clientError', (client, error) => {
    if (client.id === 'c' && !error.message.includes('ECONNRESET')) clientErrors.push(error)
  })
  const bystander = await server.connect({ clientId: 'bystander' })
  await bystander.subscribe(['#', 1])
  const will = { topic: 'w', qos: 1, payload: 'gone', properties: occasion.will ?? [] } as const
  const client = await server.connect({ ...lasting, clientId: 'c', will })
  const left = await occasion.act(server, client)
  for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate)
  await server.pass(3000)
  await watched.expectCalm()
  expect(server.broker.connectedClients).toBe(left)
  return { server, bystander, clientErrors }
}

for (const [when, occasion] of Object.entries(occasions)) {
  for (const [how, authorizePublish] of Object.entries(refusals)) {
    test(`a will at ${when} whose hook ${how} is dropped and reported for its client`, async () => {
      const { server, bystander, clientErrors } = await liveAndDie(occasion, { authorizePublish })
      await bystander.expectNothing()
      const reported = [...clientErrors, ...server.errors.splice(0)]
      expect(reported).toHaveLength(1)
      expect(reported[0]).toBeInstanceOf(Error)
      if (when === 'delay') expect(reported[0]).toMatchObject({ code: 'WILL_NOT_PUBLISHED' })
      else expect(clientErrors).toHaveLength(1)
      await bystander.publishDone({ topic: 'own', qos: 1 }).catch(() => undefined)
    })
  }

  test(`a will at ${when} that the store can't take is reported for its client`, async () => {
    class FullPersistence extends MemoryPersistence {
      override publish(message: Message, receipt?: Receipt): number {
        if (message.topic === 'w') throw new Error('full')
        return super.publish(message, receipt)
      }
    }
    const { server, bystander, clientErrors } = await liveAndDie(occasion, { persistence: new FullPersistence() })
    await bystander.expectNothing()
    expect([...clientErrors, ...server.errors.splice(0)]).toMatchObject([
      { code: 'WILL_NOT_PUBLISHED', cause: { message: 'full' } },
    ])
  })

  for (const how of ['throws', 'rejects'] as const) {
    const fail = (): never => {
      if (how === 'throws') throw new Error('broken')
      return Promise.reject(new Error('broken')) as never
    }

    test(`a will at ${when} is published although hook published ${how}`, async () => {
      const published = (packet: { topic: string }): void => (packet.topic === 'w' ? fail() : undefined)
      const { server, bystander, clientErrors } = await liveAndDie(occasion, { published })
      expect((await bystander.nextPublish()).payload).toBe('gone')
      expect(clientErrors).toEqual([])
      expect(server.errors.splice(0)).toMatchObject([{ code: 'HOOK_FAILED' }])
    })

    test(`a will at ${when} is published although a function of the program ${how}, and another listener of it`, async () => {
      const { server, bystander, clientErrors } = await liveAndDie(occasion, {
        plugins: [
          {
            name: 'p',
            attach: broker => {
              broker.on('publish', (packet: { topic: string }) => (packet.topic === 'w' ? fail() : undefined))
              return undefined
            },
          },
        ],
        preConnect() {
          this.subscribe('w', fail, () => undefined)
          return true
        },
      })
      expect((await bystander.nextPublish()).payload).toBe('gone')
      expect(clientErrors).toEqual([])
      const codes = server.errors.splice(0).map(error => 'code' in error && error.code)
      expect(codes.toSorted()).toEqual(['LISTENER_FAILED', 'SUBSCRIBER_FAILED'])
    })
  }
}

/** Another broker, played by the test. */
class OtherBroker implements Emitter {
  host: EmitterHost | undefined
  open(host: EmitterHost): void {
    this.host = host
  }
  close(): void {}
  addRoute(): void {}
  removeRoute(): void {}
  takesTurn(): boolean {
    return true
  }
  reaches(): boolean {
    return false
  }
  publish(): void {}
  announce(): void {}
}

for (const how of ['throws', 'rejects'] as const) {
  test(`a message of another broker whose function here ${how} is delivered to the others`, async () => {
    const watched = watchProcess()
    const emitter = new OtherBroker()
    const server = await startBrokerWithClock({ emitter })
    const client = await server.connect({ clientId: 'c' })
    await client.subscribe(['w', 1])
    await server.broker.subscribe('w', () => {
      if (how === 'throws') throw new Error('broken')
      return Promise.reject(new Error('broken'))
    })
    const message: Message = {
      topic: 'w',
      payload: Buffer.from('x'),
      qos: 1,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: 'p',
      brokerId: 'other',
      brokerCounter: 1,
    }
    await emitter.host?.deliver(message, undefined)
    expect((await client.nextPublish()).payload).toBe('x')
    await watched.expectCalm()
    expect(server.errors.splice(0)).toMatchObject([{ code: 'SUBSCRIBER_FAILED' }])
  })
}
