import { expect, test } from 'vitest'
import { startBroker } from './support/start-broker.ts'
import { puback, pubcomp, pubrec } from './support/wire.ts'

const acknowledgements = { puback, pubrec, pubcomp }

for (const version of [3, 4, 5] as const) {
  for (const cleanStart of [true, false]) {
    for (const listens of [false, true]) {
      const title = `MQTT ${version}, ${cleanStart ? 'clean' : 'stored'} session${listens ? ', with a listener for ack' : ''}`
      test.for<[qos: 1 | 2, steps: (keyof typeof acknowledgements)[], message: string]>([
        [1, ['pubrec'], 'PUBREC for packet identifier ID, whose message awaits PUBACK'],
        [1, ['pubcomp'], 'PUBCOMP for packet identifier ID, whose message awaits PUBACK'],
        [2, ['puback'], 'PUBACK for packet identifier ID, whose message awaits PUBREC'],
        [2, ['pubcomp'], 'PUBCOMP for packet identifier ID, whose message awaits PUBREC'],
        [2, ['pubrec', 'puback'], 'PUBACK for packet identifier ID, whose message awaits PUBCOMP'],
      ])(`${title}: QoS %i answered by %j ends the connection with 0x82`, async ([qos, steps, message]) => {
        const server = await startBroker()
        const errors: Error[] = []
        server.broker.on('clientError', (_client, error) => errors.push(error))
        if (listens) server.broker.on('ack', () => undefined)
        const client = await server.connect({ version, clientId: 'c', cleanStart })
        await client.subscribe(['a', 2])
        await server.broker.publish({ topic: 'a', qos })
        const { id } = await client.nextPublish()
        client.send(...steps.map(step => acknowledgements[step](id)))
        if (steps.length > 1) await client.nextAck('pubrel', id)
        if (version === 5) await client.closedWith(0x82)
        else expect(await client.closed()).toEqual([])
        expect(errors).toEqual([
          expect.objectContaining({ code: 'ACKNOWLEDGEMENT_WRONG', message: message.replace('ID', `${id}`) }),
        ])
      })
    }
  }
}

test('a PUBREC that comes again, and acknowledgements of what is not known, end nothing', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe(['a', 2])
  await server.broker.publish({ topic: 'a', qos: 2 })
  const { id } = await client.nextPublish()
  client.send(pubrec(id), pubrec(id))
  await client.nextAck('pubrel', id)
  await client.nextAck('pubrel', id)
  client.send(pubcomp(id), pubcomp(id), puback(id), puback(id + 1))
  await client.ping()
})
