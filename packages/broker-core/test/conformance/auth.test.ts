import { expect, test } from 'vitest'
import type { AuthenticateEnhancedHook, BrokerOptions } from '../../src/index.ts'
import { readConnack, readReason } from '../support/frame.ts'
import type { PropertyList } from '../support/property.ts'
import { PropertyId, property, propertyValue } from '../support/property.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { auth, connect, disconnect, pingreq, publish, subscribe } from '../support/wire.ts'
import { otherPackets, wrongAgainCases, wrongAnswerCases } from './auth.cases.ts'

/** Knows the method `QUIZ`: `right` lets in, `wrong` doesn't, everything else is answered with a question. */
const quiz: AuthenticateEnhancedHook = (_client, { method, data }) => {
  if (method !== 'QUIZ') throw Object.assign(new Error(`no ${method} here`), { reasonCode: 0x8c })
  const answer = data?.toString()
  if (answer === 'wrong') throw new Error('that was wrong')
  return answer === 'right'
    ? { done: true, data: Buffer.from('well done') }
    : { done: false, data: Buffer.from('why?') }
}

const method = property.authenticationMethod('QUIZ')
const saying = (data: string): readonly number[] => [...method, ...property.authenticationData(data)]

/** The client has sent CONNECT and got the question. */
async function challenged(hook: AuthenticateEnhancedHook = quiz): Promise<RawClient> {
  const server = await startBroker({ authenticateEnhanced: hook })
  const client = await server.open()
  client.send(connect({ clientId: 'c', properties: method }))
  await client.next('auth')
  return client
}

function exchange(properties: PropertyList): readonly unknown[] {
  const { authenticationMethod, authenticationData, reasonString, userProperty } = PropertyId
  expect(properties.map(([id]) => id)).not.toContain(reasonString)
  expect(properties.map(([id]) => id)).not.toContain(userProperty)
  return [authenticationMethod, authenticationData].map(id => propertyValue(properties, id)?.toString())
}

for (const style of ['at once', 'later'] as const) {
  const hook: AuthenticateEnhancedHook =
    style === 'at once'
      ? quiz
      : (client, step, done) => {
          setImmediate(() => {
            try {
              done(null, quiz.call(client.broker, client, step, done) as { done: boolean })
            } catch (error) {
              done(error as Error)
            }
          })
        }

  test(
    `a hook that answers ${style}: CONNECT, AUTH 0x18 both ways, CONNACK, with the method in all of them`,
    { tags: ['MQTT5-4.12.0-2', 'MQTT5-4.12.0-3', 'MQTT5-4.12.0-5', 'MQTT5-3.15.2-1'] },
    async () => {
      const client = await challenged(hook)
      for (const answer of ['hm', 'no idea', 'right']) {
        client.send(auth(0x18, saying(answer)))
        if (answer === 'right') continue
        const { reasonCode, properties } = readReason(await client.next('auth'), 'auth')
        expect([reasonCode, ...exchange(properties)]).toEqual([0x18, 'QUIZ', 'why?'])
      }
      const connack = readConnack(await client.next('connack'), 5)
      expect([connack.reasonCode, ...exchange(connack.properties)]).toEqual([0, 'QUIZ', 'well done'])
      await client.ping()
    },
  )

  test(
    `a hook that answers ${style}: re-authentication goes AUTH 0x19, 0x18, 0x18, 0x00 while the connection works on`,
    { tags: ['MQTT5-4.12.1-1', 'MQTT5-4.12.0-2', 'MQTT5-4.12.0-5', 'MQTT5-3.15.2-1'] },
    async () => {
      const server = await startBroker({ authenticateEnhanced: hook })
      const client = await server.connect({ clientId: 'c', properties: saying('right') })
      for (let round = 0; round < 2; round += 1) {
        client.send(auth(0x19, method))
        const question = readReason(await client.next('auth'), 'auth')
        expect([question.reasonCode, ...exchange(question.properties)]).toEqual([0x18, 'QUIZ', 'why?'])
        await client.subscribe('a')
        await server.broker.publish({ topic: 'a', payload: 'meanwhile' })
        expect((await client.nextPublish()).payload).toBe('meanwhile')
        client.send(auth(0x18, saying('right')))
        const success = readReason(await client.next('auth'), 'auth')
        expect([success.reasonCode, ...exchange(success.properties)]).toEqual([0, 'QUIZ', 'well done'])
        await client.expectNothing()
      }
    },
  )

  test(
    `a hook that answers ${style}: a wrong answer is refused with a CONNACK, and the connection ends`,
    { tags: ['MQTT5-4.12.0-4', 'MQTT5-4.13.2-1'] },
    async () => {
      const client = await challenged(hook)
      client.send(auth(0x18, saying('wrong')), pingreq)
      const [frame, ...rest] = await client.closed()
      expect(frame && readConnack(frame, 5)).toMatchObject({ reasonCode: 0x87, sessionPresent: false })
      expect(rest).toEqual([])
    },
  )

  test(
    `a hook that answers ${style}: a method it does not know is refused, and the connection ends`,
    { tags: ['MQTT5-4.12.0-1'] },
    async () => {
      const server = await startBroker({ authenticateEnhanced: hook })
      const client = await server.open()
      const connack = await client.connect({ properties: property.authenticationMethod('nope') })
      expect(connack.reasonCode).toBe(0x8c)
      expect(await client.closed()).toEqual([])
    },
  )
}

test(
  'without the hook every Authentication Method is refused, also beside a user name',
  { tags: ['MQTT5-4.12.0-1'] },
  async () => {
    const server = await startBroker({ authenticate: () => true })
    const client = await server.open()
    const connack = await client.connect({ properties: method, username: 'u', password: 'p' })
    expect(connack.reasonCode).toBe(0x8c)
    expect(await client.closed()).toEqual([])
  },
)

test(
  'without Authentication Method the hook is not asked: no AUTH, and none in CONNACK',
  { tags: ['MQTT5-4.12.0-6'] },
  async () => {
    let asked = 0
    const authenticateEnhanced: AuthenticateEnhancedHook = () => {
      asked += 1
      return { done: false }
    }
    const server = await startBroker({ authenticateEnhanced, authenticate: () => true })
    const client = await server.connect({ clientId: 'c', username: 'u', password: 'p' })
    const ids = client.connack.properties.map(([id]) => id)
    expect(ids).not.toContain(PropertyId.authenticationMethod)
    expect(ids).not.toContain(PropertyId.authenticationData)
    await client.subscribe('a')
    client.send(publish({ topic: 'a', payload: 'x' }))
    await client.nextPublish()
    await client.expectNothing()
    expect(asked).toBe(0)
  },
)

test(
  'without Authentication Method in CONNECT an AUTH closes the connection although there is a hook',
  { tags: ['MQTT5-4.12.0-7'] },
  async () => {
    const server = await startBroker({ authenticateEnhanced: quiz })
    for (const reasonCode of [0x00, 0x18, 0x19]) {
      const client = await server.connect({ clientId: 'c' })
      client.send(auth(reasonCode, saying('right')))
      await client.closedWith(0x82)
    }
  },
)

for (const { title, tags, send, reasonCodes } of wrongAnswerCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const client = await challenged()
    client.send(send, subscribe({ filters: [['a', 0]] }))
    const frames = await client.closed()
    expect(frames).toHaveLength(1)
    for (const frame of frames) expect(reasonCodes).toContain(readConnack(frame, 5).reasonCode)
  })
}

for (const { title, tags, send, reasonCodes } of wrongAgainCases) {
  // oxlint-disable-next-line vitest/valid-title -- the title stands in the row
  test(title, { tags }, async () => {
    const server = await startBroker({ authenticateEnhanced: quiz })
    const client = await server.connect({ clientId: 'c', properties: saying('right') })
    client.send(send, pingreq)
    await client.closedWith(...reasonCodes)
  })
}

test(
  'before its authentication is over a client can do nothing else but leave',
  { tags: ['MQTT5-4.12.0-3'] },
  async () => {
    for (const [name, send] of Object.entries(otherPackets)) {
      const client = await challenged()
      client.send(send)
      const refusals = (await client.closed()).map(({ type, body }) => [type, (body[1] ?? 0) >= 0x80])
      // The code is optional, the end is not.
      expect(refusals.length === 0 ? [['connack', true]] : refusals, name).toEqual([['connack', true]])
    }
    const leaving = await challenged()
    leaving.send(disconnect(0))
    expect(await leaving.closed()).toEqual([])
  },
)

test(
  'a client that never answers the challenge is let go without a word after connectTimeout',
  { tags: ['MQTT5-4.12.0-4'] },
  async () => {
    const server = await startBrokerWithClock({ authenticateEnhanced: quiz, connectTimeout: 5000 })
    const client = await server.open()
    client.send(connect({ properties: method }))
    await client.next('auth')
    await server.pass(6000)
    expect(await client.closed()).toEqual([])
  },
)

for (const reasonCode of [0x86, 0x8c, 0x85]) {
  test(
    `a refusal with 0x${reasonCode.toString(16)}, a code of CONNACK, closes a client that authenticates again`,
    { tags: ['MQTT5-4.12.1-2', 'MQTT5-3.14.2-1'] },
    async () => {
      const options: Partial<BrokerOptions> = {
        authenticateEnhanced: (_client, { step }) => {
          if (step === 'connect') return { done: true }
          throw Object.assign(new Error('no'), { reasonCode })
        },
      }
      const server = await startBroker(options)
      const client = await server.connect({ clientId: 'c', properties: method })
      client.send(auth(0x19, method))
      await client.closedWith(0x80, 0x83, 0x87)
    },
  )
}

/** Lets in who says so at once, and asks all others with `length` bytes, in an AUTH of `frame` bytes: 2 of fixed header, 1 of
 * code, 1 of property length, 7 of method, 3 and `length` of data. */
const asking = (length: number): { readonly hook: AuthenticateEnhancedHook; readonly frame: number } => ({
  hook: (_client, { data }) => ({ done: data?.toString() === 'in', data: Buffer.alloc(length, 'q') }),
  frame: 2 + 1 + 1 + 7 + 3 + length,
})

test(
  'AUTH that just fits Maximum Packet Size has neither Reason String nor User Property',
  { tags: ['MQTT5-3.15.2-2', 'MQTT5-3.15.2-3'] },
  async () => {
    const { hook, frame } = asking(60)
    const server = await startBroker({ authenticateEnhanced: hook })
    const client = await server.open()
    client.send(connect({ properties: [...method, ...property.maximumPacketSize(frame)] }))
    const { bytes } = await client.next('auth')
    expect(bytes.length).toBe(frame)
    expect(bytes.subarray(0, 4)).toEqual(Buffer.from([0xf0, frame - 2, 0x18, frame - 4]))
  },
)

test(
  'an AUTH that exceeds Maximum Packet Size is not sent, and CONNECT is refused',
  { tags: ['MQTT5-3.15.2-2', 'MQTT5-3.15.2-3', 'MQTT5-4.12.0-4'] },
  async () => {
    const { hook, frame } = asking(60)
    const server = await startBroker({ authenticateEnhanced: hook })
    const client = await server.open()
    client.send(connect({ properties: [...method, ...property.maximumPacketSize(frame - 1)] }))
    for (const { type, bytes } of await client.closed()) {
      expect(type).toBe('connack')
      expect(bytes.length).toBeLessThan(frame)
    }
  },
)

/** Lets everyone in, and asks later. */
const askingAgain: AuthenticateEnhancedHook = (_client, { step }) =>
  step === 'connect' ? { done: true } : { done: false, data: Buffer.alloc(60, 'q') }

test(
  'an AUTH that exceeds Maximum Packet Size is not sent, and a client that authenticates again is disconnected',
  { tags: ['MQTT5-3.15.2-2', 'MQTT5-3.15.2-3', 'MQTT5-4.12.1-2'] },
  async () => {
    const { frame } = asking(60)
    const server = await startBroker({ authenticateEnhanced: askingAgain })
    const client = await server.connect({ properties: [...method, ...property.maximumPacketSize(frame - 1)] })
    client.send(auth(0x19, method))
    await client.closedWith(0x95)
  },
)
