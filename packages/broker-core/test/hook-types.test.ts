import { expectTypeOf, test } from 'vitest'
import type { Broker, BrokerOptions, Client } from '../src/index.ts'

// Checked by the compiler: what does not compile here is caught when the tests are linted, and the other way round.

test('a hook of either style compiles, with its parameters known', () => {
  const options: Partial<BrokerOptions> = {
    preConnect: (client, packet) => client.id === null && packet.clientId !== '',
    authenticate: (client, username, password, done) => {
      expectTypeOf(client).toEqualTypeOf<Client>()
      expectTypeOf(username).toEqualTypeOf<string | undefined>()
      expectTypeOf(password).toEqualTypeOf<Buffer | undefined>()
      done(null, true)
    },
    authorizePublish: async (client, packet) => {
      expectTypeOf(client).toEqualTypeOf<Client | null>()
      packet.payload = Buffer.alloc(0)
    },
    authorizeSubscribe: async (_client, subscription) => ({ ...subscription, qos: 0 }),
    authorizeForward: (_client, packet) => packet,
    published: (packet, client, done) => {
      expectTypeOf(packet.brokerCounter).toBeNumber()
      expectTypeOf(client).toEqualTypeOf<Client | null>()
      done()
    },
    decodeProtocol: (_client, bytes) => ({ ipAddress: '192.0.2.1', data: bytes }),
  }
  expectTypeOf(options).toExtend<Partial<BrokerOptions>>()
})

test('a hook of the wrong form does not compile', () => {
  const wrong: Record<string, Partial<BrokerOptions>> = {
    // @ts-expect-error it answers true or false
    authenticate: { authenticate: () => 'yes' },
    // @ts-expect-error there is no fifth parameter
    parameters: { authenticate: (_a, _b, _c, _d, _e) => true },
    // @ts-expect-error the second parameter of the callback is true or false
    callback: { preConnect: (_client, _packet, done) => done(null, 1) },
    // @ts-expect-error a subscription, or null
    subscription: { authorizeSubscribe: () => true },
    // @ts-expect-error it is synchronous
    forward: { authorizeForward: async (_client, packet) => packet },
    // @ts-expect-error the first parameter is the client
    client: { authorizePublish: (client: string) => void client },
    // @ts-expect-error bytes are a Buffer
    decode: { decodeProtocol: () => ({ data: 'text' }) },
  }
  expectTypeOf(wrong).toExtend<object>()
})

test('listeners know what they get', () => {
  const listen = (broker: Broker): void => {
    broker.on('client', client => expectTypeOf(client).toEqualTypeOf<Client>())
    broker.on('subscribe', (subscriptions, client) => {
      expectTypeOf(subscriptions[0]?.topic).toEqualTypeOf<string | undefined>()
      expectTypeOf(client).toEqualTypeOf<Client>()
    })
    broker.on('clientError', (_client, error) => expectTypeOf(error).toEqualTypeOf<Error>())
    // @ts-expect-error an error comes second
    broker.on('clientError', (error: Error) => error)
  }
  expectTypeOf(listen).toBeFunction()
})
