import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Broker, BrokerOptions, BrokerPacket } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { property } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import { connect } from './support/wire.ts'

type Done = (error?: unknown, answer?: unknown) => void
type HookName = 'preConnect' | 'authenticate' | 'authenticateEnhanced' | 'authorizePublish' | 'authorizeSubscribe'
type Act = (parameters: readonly unknown[]) => unknown

const parameters: Readonly<Record<HookName, number>> = {
  preConnect: 2,
  authenticate: 3,
  authenticateEnhanced: 2,
  authorizePublish: 2,
  authorizeSubscribe: 2,
}

/** The hook in each style a program may write it in; `act` returns its answer. */
const styles: Readonly<Record<string, (name: HookName, act: Act) => Partial<BrokerOptions>>> = {
  'by value': (name, act) => ({ [name]: (...values: unknown[]) => act(values) }),
  'by promise': (name, act) => ({ [name]: async (...values: unknown[]) => act(values) }),
  'by callback': (name, act) => withDone(name, (values, done) => done(null, act(values))),
  'by callback, later': (name, act) =>
    withDone(name, (values, done) => void setImmediate(() => done(null, act(values)))),
  'by a promise given to the callback': (name, act) =>
    withDone(name, (values, done) => done(null, Promise.resolve(act(values)))),
}

function withDone(name: HookName, act: (values: readonly unknown[], done: Done) => unknown): Partial<BrokerOptions> {
  const count = parameters[name]
  const hook = (...values: unknown[]): unknown => act(values.slice(0, count), values[count] as Done)
  // The broker tells the styles apart by the number of declared parameters.
  return { [name]: Object.defineProperty(hook, 'length', { value: count + 1 }) }
}

/** Codes of what is reported of clients and connections. */
function reported(broker: Broker): string[] {
  const codes: string[] = []
  const add = (_client: unknown, error: Error & { code?: string }): void => void codes.push(error.code ?? error.message)
  broker.on('clientError', add)
  broker.on('connectionError', add)
  return codes
}

const wrong: Readonly<Record<HookName, readonly unknown[]>> = {
  preConnect: [0, 1, '', 'yes', {}, [], () => true, new Error('returned')],
  authenticate: [() => true, new Error('returned')],
  authenticateEnhanced: [undefined, null, false, true, 1, 'yes', {}, { done: 1 }, { done: true, data: 'text' }, []],
  authorizePublish: [0, Number.NaN, 1, '', 'yes', {}, [], () => true, new Error('returned')],
  authorizeSubscribe: [
    true,
    0,
    1,
    '',
    'yes',
    {},
    [],
    { topic: 'a' },
    { topic: 'a', qos: 3 },
    { topic: 'a', qos: 1, reasonCode: 1 },
    { reasonCode: 0 },
    { reasonCode: 0x10 },
    { reasonCode: '0x87' },
    { topic: 'a', qos: '1' },
    { topic: 7, qos: 1 },
    { topic: 'a', qos: 1, rh: 3 },
    { topic: 'a', qos: 1, nl: 'yes' },
    { topic: 'a#', qos: 1 },
    { topic: '', qos: 1 },
    { topic: '$share/g/a', qos: 1, nl: true },
    new Error('returned'),
  ],
}

for (const [style, make] of Object.entries(styles)) {
  eachVersion(({ version, test: versionTest }) => {
    versionTest(`preConnect ${style}: only true lets in, and what is neither a yes nor a no is reported`, async () => {
      for (const answer of [false, undefined, null, ...wrong.preConnect]) {
        const server = await startBroker(make('preConnect', () => answer))
        const codes = reported(server.broker)
        const client = await server.open()
        client.send(connect({ version, clientId: 'c' }))
        expect(await client.closed(), String(answer)).toEqual([])
        const isMeant = answer === false || answer === undefined || answer === null
        expect(codes, String(answer)).toEqual(isMeant ? [] : ['HOOK_RESULT_INVALID'])
      }
    })

    versionTest(`authenticate ${style}: what is truthy lets in, what is falsy refuses`, async () => {
      for (const answer of [true, 1, 'user', { name: 'user' }]) {
        const server = await startBroker(make('authenticate', () => answer))
        await (await server.connect({ version })).ping()
      }
      for (const answer of [false, undefined, null, 0, '', Number.NaN, ...wrong.authenticate]) {
        const server = await startBroker(make('authenticate', () => answer))
        const codes = reported(server.broker)
        const client = await server.open()
        expect((await client.connect({ version, clientId: 'c' })).reasonCode, String(answer)).not.toBe(0)
        await client.closed()
        expect(codes).toEqual([answer ? 'HOOK_RESULT_INVALID' : 'NOT_AUTHENTICATED'])
        expect(server.broker.connectedClients).toBe(0)
      }
    })

    versionTest(`authorizePublish ${style}: only nothing, true and its packet permit`, async () => {
      let answer: unknown
      const server = await startBroker(
        make('authorizePublish', ([, packet]) => (answer === 'packet' ? packet : answer)),
      )
      const codes = reported(server.broker)
      const watcher = await server.connect({ version, clientId: 'w' })
      await watcher.subscribe('#')
      const refusing =
        style === 'by value' || style === 'by promise' ? [null, ...wrong.authorizePublish] : wrong.authorizePublish
      for (const refusal of [false, ...refusing]) {
        for (const qos of [0, 1, 2] as const) {
          codes.length = 0
          answer = refusal
          const client = await server.connect({ version, clientId: 'c' })
          client.publish({ topic: 'refused', qos, id: 1 })
          if (version === 4) expect(await client.closed()).toEqual([])
          else if (qos > 0) {
            const { reasonCode } = await client.nextAck(qos === 1 ? 'puback' : 'pubrec', 1)
            expect(reasonCode).toBe(refusal === false ? 0x87 : 0x83)
          } else await client.ping()
          expect(codes, String(refusal)).toEqual([refusal === false ? 'NOT_AUTHORIZED' : 'HOOK_RESULT_INVALID'])
        }
      }
      const permitting =
        style === 'by value' || style === 'by promise' ? [undefined, true, 'packet'] : [undefined, null, true, 'packet']
      const client = await server.connect({ version, clientId: 'c' })
      for (const permission of permitting) {
        answer = permission
        client.publish({ topic: 'permitted' })
        expect((await watcher.nextPublish()).topic).toBe('permitted')
      }
    })

    versionTest(`authorizeSubscribe ${style}: a reason code denies this filter with it`, async () => {
      const answers: Record<string, unknown> = {
        quota: { reasonCode: 0x97 },
        unspecified: { reasonCode: 0x80, topic: 'unspecified', qos: 1 },
        fine: { reasonCode: undefined, topic: 'fine', qos: 1 },
      }
      const server = await startBroker(
        make('authorizeSubscribe', ([, wish]) => answers[(wish as { topic: string }).topic]),
      )
      const client = await server.connect({ version, clientId: 'c' })
      const { reasonCodes } = await client.subscribe(['quota', 1], ['unspecified', 1], ['fine', 1])
      expect(reasonCodes).toEqual(version === 5 ? [0x97, 0x80, 1] : [0x80, 0x80, 1])
      for (const topic of Object.keys(answers)) await server.broker.publish({ topic })
      expect((await client.nextPublish()).topic).toBe('fine')
      await client.expectNothing()
    })

    versionTest(`authorizeSubscribe ${style}: what is no subscription denies this filter alone`, async () => {
      for (const answer of [undefined, null, false, ...wrong.authorizeSubscribe]) {
        const server = await startBroker(
          make('authorizeSubscribe', ([, wish]) => ((wish as { topic: string }).topic === 'good' ? wish : answer)),
        )
        const codes = reported(server.broker)
        const client = await server.connect({ version, clientId: 'c' })
        const { reasonCodes } = await client.subscribe(['a', 1], ['good', 1])
        const isMeant = answer === undefined || answer === null || answer === false
        const denied = version === 4 ? 0x80 : isMeant ? 0x87 : 0x83
        expect(reasonCodes, JSON.stringify(answer)).toEqual([denied, 1])
        expect(codes).toEqual(isMeant ? [] : ['HOOK_RESULT_INVALID'])
        for (const topic of ['a', 'good']) await server.broker.publish({ topic })
        expect((await client.nextPublish()).topic).toBe('good')
        await client.expectNothing()
      }
    })
  })

  test(`authenticateEnhanced ${style}: what is no step refuses the client`, async () => {
    for (const answer of wrong.authenticateEnhanced) {
      const server = await startBroker(make('authenticateEnhanced', () => answer))
      const codes = reported(server.broker)
      const client = await server.open()
      const properties = property.authenticationMethod('m')
      expect((await client.connect({ version: 5, clientId: 'c', properties })).reasonCode, String(answer)).toBe(0x83)
      await client.closed()
      expect(codes).toEqual(['HOOK_RESULT_INVALID'])
    }
  })
}

const nothings = [undefined, null, 0, false, '', Number.NaN]

/** A hook that fails with something that is no Error. */
const failures: Readonly<Record<string, (name: HookName, thrown: unknown) => Partial<BrokerOptions> | undefined>> = {
  'that throws': (name, thrown) => ({ [name]: () => raise(thrown) }),
  'that rejects': (name, thrown) => ({ [name]: () => rejection(thrown) }),
  'that throws and has a callback': (name, thrown) => withDone(name, () => raise(thrown)),
  'that rejects and has a callback': (name, thrown) => withDone(name, () => rejection(thrown)),
  // Called with null, or nothing, it says that there is no error.
  'that calls back with': (name, thrown) =>
    thrown === undefined || thrown === null
      ? undefined
      : withDone(name, (values, done) => done(thrown, consent(name, values))),
  'that calls back later with': (name, thrown) =>
    thrown === undefined || thrown === null
      ? undefined
      : withDone(name, (values, done) => void setImmediate(() => done(thrown, consent(name, values)))),
}

function raise(thrown: unknown): never {
  // oxlint-disable-next-line only-throw-error -- that is what is tried
  throw thrown
}

function rejection(thrown: unknown): Promise<never> {
  // oxlint-disable-next-line prefer-promise-reject-errors -- likewise
  return new Promise((_resolve, reject) => setImmediate(reject, thrown))
}

/** What the hook would permit with. */
function consent(name: HookName, values: readonly unknown[]): unknown {
  if (name === 'authorizeSubscribe') return values[1]
  return name === 'authenticateEnhanced' ? { done: true } : true
}

/** What the peer sees when the hook fails. */
async function expectRefusal(server: TestBroker, name: HookName, version: 4 | 5): Promise<void> {
  const client = await server.open()
  client.version = version
  const properties = name === 'authenticateEnhanced' ? property.authenticationMethod('m') : []
  client.send(connect({ version, clientId: 'c', properties }))
  if (name === 'preConnect') {
    expect(await client.closed()).toEqual([])
    return
  }
  const connack = await client.next('connack')
  if (name === 'authenticate' || name === 'authenticateEnhanced') {
    expect(connack.body[1]).not.toBe(0)
    await client.closed()
    return
  }
  if (name === 'authorizeSubscribe') {
    const { reasonCodes } = await client.subscribe(['a', 1])
    expect(reasonCodes).toEqual([version === 4 ? 0x80 : 0x83])
    return
  }
  client.publish({ topic: 'a', qos: 1, id: 1 })
  if (version === 5) expect((await client.nextAck('puback', 1)).reasonCode).toBe(0x83)
  else expect((await client.closed()).filter(({ type }) => type !== 'disconnect')).toEqual([])
}

for (const [way, make] of Object.entries(failures)) {
  eachVersion(({ version, test: versionTest }) => {
    for (const name of Object.keys(parameters) as HookName[]) {
      if (name === 'authenticateEnhanced' && version === 4) continue
      versionTest(`${name} ${way} nothing has refused`, async () => {
        for (const thrown of nothings) {
          const hooks = make(name, thrown)
          if (hooks === undefined) continue
          const watched = watchProcess()
          const server = await startBroker(hooks)
          const codes = reported(server.broker)
          await expectRefusal(server, name, version)
          expect(codes, String(thrown)).toEqual(['HOOK_RESULT_INVALID'])
          await watched.expectCalm()
        }
      })
    }
  })
}

test('what is thrown as a text or an object is the error that it describes', async () => {
  for (const [thrown, message, code] of [
    ['closed today', 'closed today', 0x87],
    [{ message: 'wrong password', returnCode: 4 }, 'wrong password', 0x86],
    [{ reasonCode: 0x8a }, 'hook authenticate rejected with an object', 0x8a],
  ] as const) {
    const server = await startBroker({ authenticate: () => rejection(thrown) })
    const reportedError = once(server.broker, 'clientError')
    const client = await server.open()
    expect((await client.connect({ version: 5, clientId: 'c' })).reasonCode).toBe(code)
    expect((await reportedError)[1]).toMatchObject({ message })
  }
})

eachVersion(({ version, test: versionTest }) => {
  versionTest(
    'authorizeForward: what is no packet costs that delivery, and neither publisher nor bystander',
    async () => {
      let change: (packet: BrokerPacket) => unknown = packet => packet
      const watched = watchProcess()
      const server = await startBroker({
        authorizeForward: (client, packet) => (client.id === 'hooked' ? (change(packet) as BrokerPacket) : packet),
      })
      const codes = reported(server.broker)
      const [hooked, bystander, publisher] = await Promise.all(
        ['hooked', 'bystander', 'publisher'].map(clientId => server.connect({ version, clientId })),
      )
      if (hooked === undefined || bystander === undefined || publisher === undefined) throw new Error('no clients')
      await hooked.subscribe(['a', 1])
      await bystander.subscribe(['a', 0])
      const silent: readonly ((packet: BrokerPacket) => unknown)[] = [() => undefined, () => null, () => false, () => 0]
      const faulty: readonly ((packet: BrokerPacket) => unknown)[] = [
        () => true,
        () => 1,
        () => 'packet',
        () => ({}),
        () => [],
        async packet => packet,
        () => rejection(new Error('late')),
        () => raise(0),
        packet => ({ ...packet, payload: 7 }),
        packet => ({ ...packet, payload: { text: 'x' } }),
        packet => ({ ...packet, payload: new Date(0) }),
        packet => ({ ...packet, qos: 3 }),
        packet => ({ ...packet, qos: '1' }),
        packet => ({ ...packet, topic: 7 }),
        packet => ({ ...packet, topic: 'a/#' }),
        packet => ({ ...packet, topic: '' }),
        packet => ({ ...packet, topic: 'a/'.repeat(200) }),
        packet => ({ ...packet, properties: { messageExpiryInterval: -1 } }),
        packet => ({ ...packet, properties: { topicAlias: 'x', contentType: 7 } }),
      ]
      for (const [index, next] of [...silent, ...faulty].entries()) {
        codes.length = 0
        change = next
        for (const qos of [0, 1] as const) {
          await publisher.publishDone({ topic: 'a', qos, payload: `${index}` })
          expect((await bystander.nextPublish()).payload).toBe(`${index}`)
        }
        await hooked.expectNothing()
        expect(codes, `${index}`).toHaveLength(index < silent.length ? 0 : 2)
      }
      await watched.expectCalm()
    },
  )

  versionTest('authorizePublish: a packet that it has spoilt is refused, and nothing of it is kept', async () => {
    let spoil: (packet: Record<string, unknown>) => void = () => undefined
    const server = await startBroker({
      authorizePublish: (_client, packet) => spoil(packet as unknown as Record<string, unknown>),
    })
    const codes = reported(server.broker)
    const watcher = await server.connect({ version, clientId: 'w' })
    await watcher.subscribe('#')
    for (const change of [
      { payload: 7 },
      { payload: new Date(0) },
      { payload: {} },
      { payload: true },
      { topic: undefined },
      { topic: 7 },
      { topic: '+' },
      { topic: '' },
      { qos: 3 },
      { qos: -1 },
      { qos: '1' },
      { properties: { messageExpiryInterval: 1.5 } },
    ]) {
      spoil = packet => void Object.assign(packet, change)
      const client = await server.connect({ version, clientId: 'c' })
      client.publish({ topic: 'a', qos: 1, id: 1, retain: true, payload: 'x' })
      if (version === 5) expect((await client.nextAck('puback', 1)).reasonCode).toBeGreaterThanOrEqual(0x80)
      else expect(await client.closed()).toEqual([])
    }
    expect(codes).toHaveLength(12)
    await watcher.expectNothing()
    expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0 })
  })
})

test('decodeProtocol: what is no details closes the connection', async () => {
  const watched = watchProcess()
  const answers = [false, true, 0, 1, '', 'x', [], { data: 'text' }].map(answer => () => answer)
  for (const answer of [...answers, async () => ({}), () => rejection('late')]) {
    const server = await startBroker({ trustProxy: true, decodeProtocol: () => answer() as never })
    const codes = reported(server.broker)
    const client = await server.open()
    client.send(connect({ clientId: 'c' }))
    expect(await client.closed()).toEqual([])
    expect(codes).toEqual(['HOOK_RESULT_INVALID'])
  }
  await watched.expectCalm()
})

test('what is no packet is not published by the program', async () => {
  const server = await startBroker()
  for (const packet of [undefined, null, 7, 'a', { topic: 7 }, { topic: {} }]) {
    await expect(server.broker.publish(packet as never)).rejects.toMatchObject({ code: 'PACKET_INVALID' })
  }
  for (const payload of [7, true, {}, [], new Date(0), 1n]) {
    const publish = server.broker.publish({ topic: 'a', payload: payload as never, retain: true })
    await expect(publish).rejects.toMatchObject({ code: 'PACKET_INVALID' })
  }
  expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0 })
})
