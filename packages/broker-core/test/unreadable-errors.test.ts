import { expect } from 'vitest'
import type { BrokerOptions } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'

// Errors of the program's hooks whose properties can't be read: they refuse like others, and reading them ends nothing.

const explode = (): never => {
  throw new Error('getter')
}

function withGetter(name: string): () => unknown {
  return () => Object.defineProperty(new Error('hook'), name, { get: explode })
}

const unreadable: Readonly<Record<string, () => unknown>> = {
  ...Object.fromEntries(
    ['message', 'name', 'code', 'reasonCode', 'returnCode', 'serverReference'].map(name => [
      `an error whose ${name} throws`,
      withGetter(name),
    ]),
  ),
  'an error whose message has no text': () => Object.assign(new Error('hook'), { message: { toString: explode } }),
  'an object whose message throws': () => Object.defineProperty({}, 'message', { get: explode, enumerable: true }),
  'a proxy that tells nothing': () => new Proxy({}, { get: explode, getPrototypeOf: explode, ownKeys: explode }),
  'a proxy of an error': () => new Proxy(new Error('hook'), { get: explode }),
}

const hooks = [
  'preConnect',
  'authenticate',
  'authorizePublish',
  'authorizeSubscribe',
  'authorizeForward',
  'published',
] as const

eachVersion(({ version, lasting, test: versionTest }) => {
  for (const [what, make] of Object.entries(unreadable)) {
    versionTest(`${what}, thrown by every hook`, async () => {
      for (const hook of hooks) {
        const watched = watchProcess()
        // What nobody published has no client.
        const fails = (client: string | null | undefined): true => {
          if (client === undefined || client === 'bystander') return true
          throw make()
        }
        const mayFail: Partial<BrokerOptions> = {
          preConnect: (_client, { clientId }) => fails(clientId),
          authenticate: client => fails(client.id),
          authorizePublish: client => void fails(client?.id),
          authorizeSubscribe: (client, wish) => fails(client.id) && wish,
          authorizeForward: (client, packet) => fails(client.id) && packet,
          published: (_packet, client) => void fails(client?.id),
        }
        const server = await startBroker({ [hook]: mayFail[hook] })
        const bystander = await server.connect({ version, clientId: 'bystander' })
        await bystander.subscribe('news')
        const client = await server.open()
        const { reasonCode } = await client
          .connect({ ...lasting, clientId: 'c', will: { topic: 'w', payload: 'x' } })
          .catch(() => ({ reasonCode: -1 }))
        if (reasonCode === 0) {
          await client.subscribe(['a', 1]).catch(() => undefined)
          await client.publishDone({ topic: 'a', qos: 1 }).catch(() => undefined)
        }
        client.socket.destroy()
        await server.broker.publish({ topic: 'news', payload: hook })
        expect((await bystander.nextPublish()).payload).toBe(hook)
        await watched.expectCalm()
        server.errors.splice(0)
      }
    })
  }
})
