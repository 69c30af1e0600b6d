import { test } from 'vitest'
import { MemoryPersistence } from './support/memory-persistence.ts'
import type { RawClient } from './support/raw-client.ts'
import { startBrokerWithClock } from './support/start-broker.ts'
import type { TestBrokerWithClock } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import { connect, puback, subscribe, unsubscribe } from './support/wire.ts'

// A store that answers what the contract does not know fails what asked for it, in words, and nothing else.

const wrongAnswers: Readonly<Record<string, readonly unknown[]>> = {
  openSession: [
    undefined,
    {},
    { handle: 1 },
    { handle: {}, subscriptions: [7], received: [], sentThrough: 0, lastSequence: 0 },
  ],
  closeSession: [null, 42, {}, { clientId: 'c' }, 'will'],
  subscribe: [undefined, 7, 'yes'],
  unsubscribe: [null, {}],
  read: [undefined, 'entries', [undefined], [{ sequence: 1 }], [{ sequence: 1, qos: 1, message: {} }]],
  claim: [null, 3, [{}]],
  retained: [undefined, 'messages', {}],
  claimDue: [undefined, [undefined], [{ kind: 'will' }], [{ kind: 'will', will: { message: {} } }]],
  counts: [undefined, 5, {}],
}

const manners: Readonly<Record<string, (answer: unknown) => unknown>> = {
  'at once': answer => answer,
  later: answer => Promise.resolve(answer),
}

const session = { version: 4, clientId: 'c', cleanStart: false, will: { topic: 'w', payload: 'gone' } } as const

interface Scene {
  readonly server: TestBrokerWithClock
  readonly client: RawClient
}

/** By method: has the engine call it. */
const calls: Readonly<Record<string, (scene: Scene) => unknown>> = {
  openSession: async ({ server }) => {
    const other = await server.open()
    other.send(connect({ clientId: 'other' }))
  },
  closeSession: ({ client }) => client.socket.resetAndDestroy(),
  subscribe: ({ client }) => client.send(subscribe({ version: 4, id: 7, filters: [['b', 1]] })),
  unsubscribe: ({ client }) => client.send(unsubscribe({ version: 4, id: 7, filters: ['a'] })),
  read: async ({ server }) => {
    const again = await server.open()
    again.send(connect(session))
  },
  claim: ({ server }) => server.broker.publish({ topic: 's', qos: 1 }),
  retained: ({ client }) => client.send(subscribe({ version: 4, id: 7, filters: [['a', 1]] })),
  claimDue: ({ server }) => server.pass(2000),
  counts: ({ server }) => server.broker.counts().catch((error: Error) => server.errors.push(error)),
}

for (const [method, answers] of Object.entries(wrongAnswers)) {
  for (const [how, manner] of Object.entries(manners)) {
    for (const answer of answers) {
      test(`${method} of the store returns ${JSON.stringify(answer) ?? 'undefined'} ${how}`, async () => {
        const watched = watchProcess()
        const persistence = new MemoryPersistence()
        const server = await startBrokerWithClock({ persistence })
        const met: unknown[] = []
        server.broker.on('clientError', (_client, error) => met.push(error))
        server.broker.on('connectionError', (_client, error) => met.push(error))
        const bystander = await server.connect({ clientId: 'bystander' })
        const client = await server.connect(session)
        await client.subscribe(['a', 1], ['$share/g/s', 1])
        await server.broker.publish({ topic: 'a', qos: 1 })

        Object.assign(persistence, { [method]: () => manner(answer) })
        await calls[method]?.({ server, client })
        const wrong = (): boolean =>
          [...met, ...server.errors].some(error => wrongAnswerOf(error)?.startsWith(method) === true)
        while (!wrong()) await bystander.ping()
        Reflect.deleteProperty(persistence, method)

        await bystander.ping()
        await watched.expectCalm()
        server.errors.length = 0
      })
    }
  }
}

/** The sentence of the error itself or of its cause. */
function wrongAnswerOf(error: unknown): string | undefined {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown }
  if (code === 'STORE_RESULT_INVALID') return message
  return cause === undefined ? undefined : wrongAnswerOf(cause)
}

for (const method of ['closeSession', 'publish', 'acknowledge', 'subscribe', 'claim', 'read'] as const) {
  test(`a promise of the store's own make, from ${method}, may call back twice and throw`, async () => {
    const watched = watchProcess()
    const persistence = new MemoryPersistence()
    const inner = persistence[method].bind(persistence) as (...values: unknown[]) => unknown
    Object.assign(persistence, { [method]: (...values: unknown[]) => wild(inner(...values)) })
    const server = await startBrokerWithClock({ persistence })
    const client = await server.connect(session)
    await client.subscribe(['a', 1], ['$share/g/s', 1])
    for (const topic of ['a', 's']) {
      await server.broker.publish({ topic, qos: 1 })
      client.send(puback((await client.nextPublish()).id))
    }
    await client.ping()
    await server.drop(client)
    await server.broker.publish({ topic: 'a', qos: 1 })
    const again = await server.connect({ ...session, cleanStart: false })
    await again.nextPublish()
    await watched.expectCalm()
    await server.broker.close()
  })
}

/** Answers, refuses after all, and throws; knows only callers that give both callbacks. */
function wild(answer: unknown): unknown {
  return {
    // A store's code may do so.
    // oxlint-disable-next-line unicorn/no-thenable
    then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
      resolve(answer)
      reject(new Error('after all'))
      throw new Error('then throws')
    },
  }
}
