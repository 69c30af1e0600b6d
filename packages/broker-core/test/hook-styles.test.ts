import { expect } from 'vitest'
import { Broker } from '../src/index.ts'
import type { BrokerOptions, BrokerPacket, Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { PropertyId, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { connect, puback, pubrel, subscribe } from './support/wire.ts'

type Done = (error?: Error | null, answer?: never) => void

/** The same hook in every style a program may write it: `answer` is what it answers, or throws when it is an Error. */
const styles: Readonly<Record<string, (parameters: number, answer: (...values: never[]) => unknown) => unknown>> = {
  'by return value': (_parameters, answer) =>
    function hook(this: unknown, ...values: never[]) {
      expect(this).toBeInstanceOf(Broker)
      return thrown(answer(...values))
    },
  'by promise': (_parameters, answer) =>
    async function hook(this: unknown, ...values: never[]) {
      expect(this).toBeInstanceOf(Broker)
      await new Promise(setImmediate)
      return thrown(answer(...values))
    },
  'by callback at once': (parameters, answer) => withCallback(parameters, answer, call => call()),
  'by callback later': (parameters, answer) => withCallback(parameters, answer, call => void setImmediate(call)),
  'by callback twice': (parameters, answer) =>
    withCallback(parameters, answer, call => {
      call()
      call()
    }),
}

function thrown(answer: unknown): unknown {
  if (answer instanceof Error) throw answer
  return answer
}

function withCallback(
  parameters: number,
  answer: (...values: never[]) => unknown,
  when: (call: () => void) => void,
): unknown {
  const hook = function hook(this: unknown, ...values: never[]): void {
    expect(this).toBeInstanceOf(Broker)
    const done = values[parameters] as unknown as Done
    const outcome = answer(...values.slice(0, parameters))
    when(() => (outcome instanceof Error ? done(outcome, true as never) : done(null, outcome as never)))
  }
  // The broker tells the styles apart by the number of declared parameters.
  return Object.defineProperty(hook, 'length', { value: parameters + 1 })
}

for (const [style, make] of Object.entries(styles)) {
  const options = (
    hooks: Readonly<Record<string, readonly [parameters: number, answer: (...values: never[]) => unknown]>>,
  ) =>
    Object.fromEntries(
      Object.entries(hooks).map(([name, [parameters, answer]]) => [name, make(parameters, answer)]),
    ) as Partial<BrokerOptions>

  eachVersion(({ version, lasting, test: versionTest }) => {
    versionTest(`preConnect answers ${style}: only true goes on, and without CONNACK otherwise`, async () => {
      const answers = new Map<string, unknown>([
        ['yes', true],
        ['no', false],
        ['truthy', 1],
        ['error', new Error('away')],
      ])
      const failures: string[] = []
      const server = await startBroker(
        options({
          preConnect: [
            2,
            (client: Client, packet: { clientId: string }) => {
              expect(client).toMatchObject({ id: null, version: null, connecting: true, connected: false })
              return answers.get(packet.clientId)
            },
          ],
        }),
      )
      server.broker.on('connectionError', (client: Client, error: Error) =>
        failures.push(`${client.id} ${error.message}`),
      )
      await (await server.connect({ version, clientId: 'yes' })).ping()
      for (const clientId of ['no', 'truthy', 'error']) {
        const client = await server.open()
        client.send(connect({ version, clientId }))
        expect(await client.closed()).toEqual([])
      }
      expect(failures).toEqual([
        'null hook preConnect returned 1, it may return true, or false, or undefined, or null',
        'null away',
      ])
      expect(server.broker.connectedClients).toBe(1)
    })

    versionTest(`authenticate answers ${style}: true lets in, everything else refuses with a code`, async () => {
      const answers = new Map<string, [answer: unknown, code4: number, code5: number]>([
        ['no', [false, 5, 0x87]],
        ['nothing', [undefined, 5, 0x87]],
        ['returnCode', [Object.assign(new Error('bad'), { returnCode: 4 }), 4, 0x86]],
        ['reasonCode', [Object.assign(new Error('bad'), { reasonCode: 0x8a }), 5, 0x8a]],
        ['unavailable', [Object.assign(new Error('bad'), { returnCode: 3 }), 3, 0x88]],
      ])
      const server = await startBroker(
        options({
          authenticate: [
            3,
            (client: Client, username: string, password: Buffer) => {
              expect([username, password.toString()]).toEqual(['user', 'pass'])
              return client.id === 'yes' ? true : answers.get(client.id ?? '')?.[0]
            },
          ],
        }),
      )
      const login = { version, username: 'user', password: 'pass' }
      await (await server.connect({ ...login, clientId: 'yes' })).ping()
      for (const [clientId, [, code4, code5]] of answers) {
        const client = await server.open()
        const { reasonCode } = await client.connect({ ...login, clientId })
        expect(reasonCode, clientId).toBe(version === 5 ? code5 : code4)
        await client.closed()
      }
      expect(server.broker.connectedClients).toBe(1)
    })

    versionTest(`authorizePublish answers ${style}: an error refuses, before anything is stored`, async () => {
      const server = await startBroker(
        options({
          authorizePublish: [
            2,
            (_client: Client, packet: BrokerPacket) => (packet.topic === 'no' ? new Error('not there') : undefined),
          ],
        }),
      )
      const watcher = await server.connect({ version, clientId: 'w' })
      await watcher.subscribe('#')
      for (const qos of [0, 1, 2] as const) {
        const client = await server.connect({ version, clientId: 'c' })
        client.publish({ topic: 'no', qos, id: 1, retain: true, payload: 'x' })
        client.publish({ topic: 'yes', qos, id: 2, payload: `${qos}` })
        if (version === 4) {
          expect(await client.closed()).toEqual([])
          continue
        }
        if (qos > 0) {
          const refusal = await client.nextAck(qos === 1 ? 'puback' : 'pubrec', 1)
          expect(refusal.reasonCode).toBe(0x87)
          expect(propertyValue(refusal.properties, PropertyId.reasonString)).toBe('not there')
          await client.nextAck(qos === 1 ? 'puback' : 'pubrec', 2)
        }
        expect(await watcher.nextPublish()).toMatchObject({ topic: 'yes', payload: `${qos}` })
        await client.ping()
      }
      await watcher.expectNothing()
      expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 0 })
    })

    versionTest(
      `authorizePublish ${style} may change the packet; the acknowledgement stays what the client waits for`,
      async () => {
        const server = await startBroker(
          options({
            authorizePublish: [
              2,
              (_client: Client, packet: BrokerPacket) => {
                packet.topic = `changed/${packet.topic}`
                packet.payload = Buffer.from(`${packet.payload.toString()}!`)
                packet.qos = 1
                packet.retain = true
              },
            ],
          }),
        )
        const client = await server.connect({ version, clientId: 'c' })
        await client.subscribe(['#', 2])
        for (const qos of [0, 1, 2] as const) {
          const id = client.publish({ topic: 'a', qos, payload: 'x' })
          const delivery = await client.nextPublish()
          expect(delivery).toMatchObject({ topic: 'changed/a', payload: 'x!', qos: 1, retain: false })
          client.send(puback(delivery.id))
          if (qos === 1) await client.nextAck('puback', id)
          if (qos === 2) {
            await client.nextAck('pubrec', id)
            client.send(pubrel(id))
            await client.nextAck('pubcomp', id)
          }
        }
        expect(await server.persistence.counts()).toMatchObject({ retainedMessages: 1 })
      },
    )

    versionTest(`authorizeSubscribe answers ${style}: what it grants counts, and nothing denied is kept`, async () => {
      const server = await startBroker(
        options({
          authorizeSubscribe: [
            2,
            (_client: Client, subscription: { topic: string; qos: number }) =>
              subscription.topic === 'no' ? null : { ...subscription, qos: Math.min(subscription.qos, 1) },
          ],
        }),
      )
      const client = await server.connect({ ...lasting, clientId: 's' })
      const { reasonCodes } = await client.subscribe(['no', 1], ['yes', 2], ['no', 0])
      expect(reasonCodes).toEqual(version === 5 ? [0x87, 1, 0x87] : [0x80, 1, 0x80])
      await server.drop(client)
      for (const topic of ['no', 'yes']) await server.broker.publish({ topic, qos: 2 })
      const again = await server.connect({ ...lasting, clientId: 's' })
      expect(await again.nextPublish()).toMatchObject({ topic: 'yes', qos: 1 })
      await again.expectNothing()
    })

    versionTest(`authorizeSubscribe answers ${style}: an error ends the connection without SUBACK`, async () => {
      const server = await startBroker(options({ authorizeSubscribe: [2, () => new Error('no')] }))
      const errors: string[] = []
      server.broker.on('clientError', (client: Client, error: Error) => errors.push(`${client.id} ${error.message}`))
      const client = await server.connect({ version, clientId: 'c' })
      client.send(subscribe({ version, filters: [['a', 0]] }))
      const frames = await client.closed()
      expect(frames.some(({ type }) => type === 'suback')).toBe(false)
      expect(errors).toEqual(['c no'])
    })

    versionTest(`published answers ${style}: the acknowledgement waits for it`, async () => {
      const seen: unknown[] = []
      const server = await startBroker(
        options({
          published: [
            2,
            (packet: BrokerPacket, client: Client | null) => {
              seen.push([packet.topic, packet.qos, packet.payload.toString(), client?.id ?? null])
            },
          ],
        }),
      )
      const client = await server.connect({ version, clientId: 'c' })
      for (const qos of [1, 2] as const) {
        await client.publishDone({ topic: 'a', qos, payload: 'x' })
        expect(seen.at(-1)).toEqual(['a', qos, 'x', 'c'])
      }
      await server.broker.publish({ topic: 'own' })
      expect(seen.at(-1)).toEqual(['own', 0, '', null])
    })
  })
}
