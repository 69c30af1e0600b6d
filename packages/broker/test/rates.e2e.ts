import { connectAsync } from 'mqtt'
import type { IDisconnectPacket, MqttClient } from 'mqtt'
import { ManualClock } from '@x/contract/testing'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { BrokerOptions, Protocol } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { openWay } from './ways-in.ts'
import type { Way } from './ways-in.ts'

const authority = new Authority()
afterAll(() => authority.remove())
const count = 400

interface Fast {
  readonly way: Way
  readonly clock: ManualClock
  readonly client: MqttClient
}

/** A client of MQTT 5.0 that has published more than it may in a second. */
async function openFast(protocol: Protocol, options: BrokerOptions): Promise<Fast> {
  const clock = new ManualClock()
  const isSecure = protocol === 'mqtts' || protocol === 'wss'
  const tls = isSecure ? { tls: authority.sign('localhost') } : {}
  const way = await openWay({ protocols: [protocol], ...tls }, { clock, ...options })
  const wish = { protocolVersion: 5, reconnectPeriod: 0, keepalive: 0, ca: authority.ca } as const
  const client = await connectAsync(`${protocol}://127.0.0.1:${way.port}`, wish, false)
  onTestFinished(() => client.endAsync(true))
  client.on('error', () => undefined)
  for (let index = 0; index < count; index += 1) client.publish('a', Buffer.alloc(100))
  await expect.poll(() => way.broker.counters.readingRested).toBeGreaterThan(0)
  return { way, clock, client }
}

const limits: readonly [string, BrokerOptions, number, string][] = [
  ['maximumPacketRate', { maximumPacketRate: 20 }, 0x96, 'PACKET_RATE_EXCEEDED'],
  ['maximumByteRate', { maximumByteRate: 2000 }, 0x97, 'BYTE_RATE_EXCEEDED'],
]

describe.skipIf(!authority.works)('a client that is faster than it may be', () => {
  for (const protocol of ['mqtt', 'mqtts', 'ws', 'wss'] as const) {
    for (const [name, limit, reasonCode, code] of limits) {
      test(`${protocol}: ${name} is kept by reading later, and nothing is lost`, async () => {
        const { way, clock } = await openFast(protocol, { ...limit, rateTimeout: 0 })
        const { broker } = way
        expect(broker.counters.publishesReceived).toBeLessThan(count / 2)
        const received = (): number => {
          clock.advance(1000)
          return broker.counters.publishesReceived
        }
        await expect.poll(received, { interval: 5 }).toBe(count)
        expect(broker.connectedClients).toBe(1)
        expect(broker.counters.errors).toEqual({})
      })

      test(`${protocol}: who exceeds ${name} for rateTimeout is told ${reasonCode} and ended`, async () => {
        const { way, clock, client } = await openFast(protocol, { ...limit, rateTimeout: 5000 })
        const { broker } = way
        expect(broker.connectedClients).toBe(1)
        const told = new Promise<IDisconnectPacket>(resolve => {
          client.once('disconnect', resolve)
        })
        const connected = (): number => {
          clock.advance(500)
          return broker.connectedClients
        }
        await expect.poll(connected, { interval: 5 }).toBe(0)
        expect((await told).reasonCode).toBe(reasonCode)
        expect(broker.counters.errors).toEqual({ [code]: 1 })
        expect(broker.counters.publishesReceived).toBeLessThan(count)
      })
    }
  }
})
