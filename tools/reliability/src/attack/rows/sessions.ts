import { connect, disconnect, property, publish, subscribe, text } from '../../wire/bytes.ts'
import type { ConnectFields } from '../../wire/bytes.ts'
import { packetType } from '../../wire/frames.ts'
import type { Attacker } from '../attacker.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'

interface Visit {
  readonly count: number
  readonly fields: (index: number) => ConnectFields
  /** Whether they say DISCONNECT. */
  readonly polite: boolean
}

/** Clients that come, 100 at a time, and go again. Returns how many were let in. */
async function visit(attacker: Attacker, { count, fields, polite }: Visit): Promise<number> {
  let accepted = 0
  for (let done = 0; done < count && !attacker.isOver; done += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const peer = await attacker.open()
        if (await peer.connect(fields(done + index))) accepted += 1
        if (polite) await peer.write(disconnect)
        peer.destroy()
      }),
    )
  }
  return accepted
}

/** All due at the same moment, however long it takes to store them. */
function dueTogether(): () => number {
  const due = Date.now() + 14_000
  return () => Math.max(1, Math.round((due - Date.now()) / 1000))
}

function largeWill(index: number): ConnectFields {
  return {
    version: 5,
    clientId: `will${index}`,
    properties: property.sessionExpiryInterval(3600),
    will: { topic: `will/${index}`, payload: Buffer.alloc(65_000), properties: property.willDelayInterval(3600) },
  }
}

export const sessionRows: readonly Row[] = [
  {
    name: 'sessions-due',
    input: '20 000 stored sessions that expire in the same second',
    async attack(attacker) {
      const left = dueTogether()
      const fields = (index: number): ConnectFields => ({
        version: 5,
        clientId: `due${index}`,
        properties: property.sessionExpiryInterval(left()),
      })
      await visit(attacker, { count: 20_000, fields, polite: true })
      await attacker.pause(left() * 1000 + 2000)
    },
  },
  {
    name: 'wills-due',
    input: '10 000 delayed wills that are due in the same second',
    async attack(attacker) {
      const left = dueTogether()
      const fields = (index: number): ConnectFields => ({
        version: 5,
        clientId: `will${index}`,
        properties: property.sessionExpiryInterval(3600),
        will: { topic: `will/${index}`, payload: Buffer.alloc(100), properties: property.willDelayInterval(left()) },
      })
      await visit(attacker, { count: 10_000, fields, polite: false })
      await attacker.pause(left() * 1000 + 2000)
    },
  },
  {
    name: 'wills-large',
    input: '5000 delayed wills of 65 KB (325 MB)',
    async attack(attacker) {
      await visit(attacker, { count: 5000, fields: largeWill, polite: false })
    },
    memory: { option: 'maximumWillBytes', bytes: 64 * megabyte },
  },
  {
    name: 'wills-at-once',
    input: '1000 connections with wills of 60 KB are cut at once',
    async attack(attacker) {
      const peers = await attacker.clients(1000, index => ({
        version: 4,
        clientId: `will${index}`,
        will: { topic: `will/${index}`, payload: Buffer.alloc(60_000) },
      }))
      for (const peer of peers) peer.destroy()
    },
    memory: { option: 'maximumWillBytes', bytes: 64 * megabyte },
  },
  {
    name: 'take-over-storm',
    input: '5000 connections with one client identifier',
    async attack(attacker) {
      await visit(attacker, {
        count: 5000,
        fields: () => ({ version: 4, clientId: 'one', cleanStart: false }),
        polite: false,
      })
    },
  },
  {
    name: 'connect-storm',
    input: '5000 CONNECTs of 131 KB with 1000 user properties',
    async attack(attacker) {
      const one = Buffer.concat([Buffer.of(0x26), text('n'), text(Buffer.alloc(120, 'v'))])
      const properties = Buffer.alloc(1000 * one.length, one)
      const fields = (index: number): ConnectFields => ({ version: 5, clientId: `storm${index}`, properties })
      await visit(attacker, { count: 5000, fields, polite: true })
    },
    memory: {
      option: 'maximumConnectPacketSize',
      bytes: 100 * 4 * 131_072,
      reason: 'of each of 100 at a time, counted four times: as it came, twice that when it is decoded, and as garbage',
    },
  },
  {
    name: 'connect-storm-refused',
    input: '5000 CONNECTs of 131 KB with 26 000 user properties',
    async attack(attacker) {
      const properties = Buffer.alloc(130_000, Buffer.of(0x26, 0, 0, 0, 0))
      const fields = (index: number): ConnectFields => ({ version: 5, clientId: `storm${index}`, properties })
      await visit(attacker, { count: 5000, fields, polite: false })
    },
  },
  {
    name: 'silent-connections',
    input: '2000 connections that never say CONNECT',
    async attack(attacker) {
      for (let count = 0; count < 2000 && !attacker.isOver; count += 100) {
        await Promise.all(Array.from({ length: 100 }, async () => attacker.open()))
      }
    },
  },
  {
    name: 'queues-offline',
    input: '50 absent sessions with 20 MB each waiting (QoS 1, 10 KB)',
    async attack(attacker) {
      const peers = await attacker.clients(50, index => ({ version: 4, clientId: `absent${index}`, cleanStart: false }))
      for (const [index, peer] of peers.entries()) {
        await peer.write(subscribe({ version: 4, id: 1, filters: [`q/${index}`] }))
        await attacker.settled(peer)
        peer.destroy()
      }
      const publisher = await attacker.client({ version: 4, clientId: 'publisher' })
      for (let index = 0; index < 100_000 && !publisher.closed && !attacker.isOver; index++) {
        const topic = `q/${index % 50}`
        const id = 1 + (index % 500)
        await publisher.write(publish({ version: 4, topic, payload: Buffer.alloc(10_000), qos: 1, id }))
      }
      await attacker.settled(publisher)
    },
    memory: { option: 'maximumTotalQueuedBytes', bytes: 256 * megabyte },
  },
  {
    name: 'queue-resumed',
    input: 'an absent session with 100 000 small messages comes back',
    async attack(attacker) {
      const absent = await attacker.client({ version: 4, clientId: 'absent', cleanStart: false })
      await absent.write(subscribe({ version: 4, id: 1, filters: ['q'] }))
      await attacker.settled(absent)
      absent.destroy()
      const publisher = await attacker.client({ version: 4, clientId: 'publisher' })
      const burst = Array.from({ length: 500 }, (_, index) =>
        publish({ version: 4, topic: 'q', qos: 1, id: index + 1 }),
      )
      for (let round = 0; round < 200 && !publisher.closed && !attacker.isOver; round++) {
        await publisher.write(Buffer.concat(burst))
        await attacker.settled(publisher)
      }
      const back = await attacker.open()
      back.onFrame(({ type, body }) => {
        if (type === packetType.publish) void back.write(Buffer.of(0x40, 2, body[3] ?? 0, body[4] ?? 0))
      })
      await back.write(connect({ version: 4, clientId: 'absent', cleanStart: false }))
      await attacker.settled(back)
      await attacker.pause(1000)
    },
  },
]
