import { expect, test } from 'vitest'
import { startBroker } from '../support/start-broker.ts'
import { bytes } from '../support/wire.ts'
import { hex } from './wire-case.ts'

test(
  'with default settings a client that knows nothing but MQTT 3.1.1 can do all of it, and gets nothing but MQTT 3.1.1',
  { tags: ['MQTT3-7.0.0-2', 'MQTT3-2.2.2-1', 'MQTT3-2.3.1-6', 'MQTT3-2.3.1-7'] },
  async () => {
    const server = await startBroker()
    const client = await server.open()
    const exchange = async (sent: readonly number[], expected: readonly (readonly number[])[]): Promise<void> => {
      client.send(bytes(sent))
      const frames = []
      while (frames.length < expected.length) frames.push(await client.next())
      expect(hex(frames).toSorted()).toEqual(expected.map(frame => bytes(frame).toString('hex')).toSorted())
    }
    // CONNECT 'MQTT' level 4, clean session, Keep Alive 60 s, ClientId 'c'
    await exchange([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x63], [[0x20, 2, 0, 0]])
    // SUBSCRIBE 1: 'a' QoS 0, 'b' QoS 1, 'd' QoS 2
    await exchange([0x82, 14, 0, 1, 0, 1, 0x61, 0, 0, 1, 0x62, 1, 0, 1, 0x64, 2], [[0x90, 5, 0, 1, 0, 1, 2]])
    // PUBLISH QoS 0 to 'a'
    await exchange([0x30, 4, 0, 1, 0x61, 0x21], [[0x30, 4, 0, 1, 0x61, 0x21]])
    // PUBLISH QoS 1 to 'b', identifier 10, and the broker's own to us
    client.send(bytes(0x32, 6, 0, 1, 0x62, 0, 10, 0x21))
    const atLeastOnce = [await client.next(), await client.next()]
    const delivery = atLeastOnce.find(({ type }) => type === 'publish')
    expect(hex(atLeastOnce)).toContain('4002000a')
    expect(delivery?.bytes[0]).toBe(0x32)
    client.send(bytes(0x40, 2, delivery?.body.subarray(3, 5) ?? []))
    // PUBLISH QoS 2 to 'd', identifier 11, and the broker's own to us
    client.send(bytes(0x34, 6, 0, 1, 0x64, 0, 11, 0x21))
    const exactlyOnce = [await client.next(), await client.next()]
    const second = exactlyOnce.find(({ type }) => type === 'publish')
    expect(hex(exactlyOnce)).toContain('5002000b')
    expect(second?.bytes[0]).toBe(0x34)
    const id = [...(second?.body.subarray(3, 5) ?? [])]
    await exchange([0x62, 2, 0, 11], [[0x70, 2, 0, 11]])
    await exchange([0x50, 2, ...id], [[0x62, 2, ...id]])
    client.send(bytes(0x70, 2, id))
    // UNSUBSCRIBE 2: 'a'; then PUBLISH to 'a' brings nothing before PINGRESP
    await exchange([0xa2, 5, 0, 2, 0, 1, 0x61], [[0xb0, 2, 0, 2]])
    await exchange([0x30, 3, 0, 1, 0x61, 0xc0, 0], [[0xd0, 0]])
    // DISCONNECT
    client.send(bytes(0xe0, 0))
    expect(await client.closed()).toEqual([])
  },
)
