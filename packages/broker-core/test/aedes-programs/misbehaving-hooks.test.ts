import { expect, test } from 'vitest'
import type { Broker, BrokerOptions } from '../../src/index.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBrokerWithClock } from '../support/start-broker.ts'
import type { TestBrokerWithClock } from '../support/start-broker.ts'
import { connect, disconnect, publish, subscribe } from '../support/wire.ts'

// Each hook, misbehaving in each way, towards clients of both versions: the peer gets the right packet or the end of its
// connection, the program an event, and the broker serves on.

type Hooks = Pick<
  BrokerOptions,
  'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'published'
>
type HookName = keyof Hooks
type Version = 4 | 5

const hookNames: readonly HookName[] = [
  'preConnect',
  'authenticate',
  'authorizePublish',
  'authorizeSubscribe',
  'published',
]

const hookTimeout = 5000

/** What a hook that takes part has to answer. */
const consent: Readonly<Record<HookName, (...values: unknown[]) => unknown>> = {
  preConnect: () => true,
  authenticate: () => true,
  authorizePublish: () => undefined,
  authorizeSubscribe: (_client, wish) => wish,
  published: () => undefined,
}

/** How many parameters each has before the callback. */
const parameters: Readonly<Record<HookName, number>> = {
  preConnect: 2,
  authenticate: 3,
  authorizePublish: 2,
  authorizeSubscribe: 2,
  published: 2,
}

/** The hook with the callback as its last declared parameter, as programs write it. */
function withCallback(
  name: HookName,
  act: (done: (error?: unknown, answer?: unknown) => void, values: unknown[]) => unknown,
): Hooks {
  const isOwn = (packet: unknown): boolean => name === 'published' && !(packet as { clientId?: string }).clientId
  const two = (first: unknown, second: unknown, done: never): unknown =>
    isOwn(first) ? (done as () => void)() : act(done, [first, second])
  const three = (first: unknown, second: unknown, third: unknown, done: never): unknown =>
    act(done, [first, second, third])
  return { [name]: parameters[name] === 3 ? three : two }
}

/** The hook without callback. */
function rejecting(name: HookName): Hooks {
  const reject = async (): Promise<never> => Promise.reject(new Error('rejected'))
  const published = async (packet: { clientId?: string }): Promise<void> => (packet.clientId ? reject() : undefined)
  return { [name]: name === 'published' ? published : reject }
}

/** Brings the hook about: connects, and then does what the hook is asked about. */
async function provoke(server: TestBrokerWithClock, name: HookName, version: Version): Promise<RawClient> {
  const client = await server.open()
  client.version = version
  client.send(connect({ version, clientId: 'c' }))
  if (name === 'preConnect' || name === 'authenticate') return client
  await client.next('connack')
  if (name === 'authorizeSubscribe') client.send(subscribe({ version, id: 3, filters: [['a', 1]] }))
  else client.send(publish({ version, topic: 'a', qos: 1, id: 3 }))
  return client
}

/** What the peer sees of a hook that failed, as text. */
async function seenBy(client: RawClient): Promise<string> {
  const first = await client.next().catch(() => undefined)
  return first === undefined ? 'closed' : `${first.type} ${first.body.toString('hex')}`
}

/** `clientError` and `connectionError`, as `event: message`. */
function errorsOf(broker: Broker): string[] {
  const seen: string[] = []
  broker.on('clientError', (_client, error) => seen.push(`clientError: ${error.message}`))
  broker.on('connectionError', (_client, error) => seen.push(`connectionError: ${error.message}`))
  return seen
}

/** A client that has nothing to do with the hook is served, and nothing of the first is left. */
async function expectHealth(server: TestBrokerWithClock, name: HookName): Promise<void> {
  server.broker[name] = null
  const other = await server.connect({ clientId: 'other' })
  await other.subscribe('health')
  await other.publishDone({ topic: 'health', qos: 1, payload: 'x' }).catch(() => undefined)
  expect(Object.keys(server.broker.clients)).toContain('other')
  expect(server.errors).toEqual([])
}

/** Whether the event of a failing hook comes before an identifier is known. */
const eventOf = (name: HookName): string => (name === 'preConnect' ? 'connectionError' : 'clientError')

/** The first byte of what the peer gets when the hook fails: nothing but the end of the connection, or a packet. */
function expectRefusal(seen: string, name: HookName, version: Version): void {
  if (name === 'preConnect') expect(seen).toBe('closed')
  else if (name === 'authenticate') expect(seen).toMatch(/^connack 00(?!00)/)
  else if (name === 'authorizePublish' && version === 5) expect(seen).toMatch(/^puback 0003[89]/)
  else if (version === 5) expect(seen).toMatch(/^disconnect [89]/)
  else expect(seen).toBe('closed')
}

for (const version of [4, 5] as const) {
  for (const name of hookNames) {
    const title = (what: string): string => `${name} ${what}, MQTT ${version === 4 ? '3.1.1' : '5.0'}`

    test(title('that throws'), async () => {
      const hook = withCallback(name, () => {
        throw new Error('thrown')
      })
      const server = await startBrokerWithClock({ ...hook, hookTimeout })
      const errors = errorsOf(server.broker)
      const client = await provoke(server, name, version)
      expectRefusal(await seenBy(client), name, version)
      expect(errors).toEqual([`${eventOf(name)}: thrown`])
      await expectHealth(server, name)
    })

    test(title('that rejects'), async () => {
      const server = await startBrokerWithClock({ ...rejecting(name), hookTimeout })
      const errors = errorsOf(server.broker)
      const client = await provoke(server, name, version)
      expectRefusal(await seenBy(client), name, version)
      expect(errors).toEqual([`${eventOf(name)}: rejected`])
      await expectHealth(server, name)
    })

    test(title('that never answers'), async () => {
      const server = await startBrokerWithClock({ ...withCallback(name, () => undefined), hookTimeout })
      const errors = errorsOf(server.broker)
      const client = await provoke(server, name, version)
      await new Promise(setImmediate)
      await server.pass(hookTimeout - 500)
      expect(errors).toEqual([])
      await server.pass(1500)
      expectRefusal(await seenBy(client), name, version)
      expect(errors).toEqual([`${eventOf(name)}: hook ${name} was not done within hookTimeout of ${hookTimeout} ms`])
      await expectHealth(server, name)
    })

    test(title('that answers twice: the first answer counts'), async () => {
      const hook = withCallback(name, (done, values) => {
        done(null, consent[name](...values))
        done(new Error('second thoughts'))
        setImmediate(done, new Error('third thoughts'))
      })
      const server = await startBrokerWithClock({ ...hook, hookTimeout })
      const errors = errorsOf(server.broker)
      const client = await provoke(server, name, version)
      expect(await seenBy(client)).toMatch(/^(connack 0000|puback|suback)/)
      await new Promise(setImmediate)
      expect(errors).toEqual([])
      await expectHealth(server, name)
    })

    test(title('that answers after the client has left'), async () => {
      let late: (() => void) | undefined
      const hook = withCallback(name, (done, values) => {
        late = () => done(null, consent[name](...values))
      })
      const server = await startBrokerWithClock({ ...hook, hookTimeout })
      const client = await provoke(server, name, version)
      while (late === undefined) await new Promise(setImmediate)
      client.send(disconnect())
      client.socket.destroy()
      await client.closed()
      late()
      while (Object.keys(server.broker.clients).length > 0) await new Promise(setImmediate)
      expect(server.broker.connectedClients).toBe(0)
      await expectHealth(server, name)
    })
  }
}

test('hookTimeout 0: a hook may take for ever', async () => {
  let letIn: (() => void) | undefined
  const server = await startBrokerWithClock({
    hookTimeout: 0,
    authenticate: (_client, _username, _password, done) => {
      letIn = () => done(null, true)
    },
  })
  const client = await server.open()
  client.send(connect({ version: 4, clientId: 'c' }))
  while (letIn === undefined) await new Promise(setImmediate)
  await server.pass(3_600_000)
  letIn()
  expect((await client.next('connack')).body.toString('hex')).toBe('0000')
})
