import { expect, test } from 'vitest'
import { connect, publish, subscribe } from '../src/wire/bytes.ts'
import { FrameCutter } from '../src/wire/frames.ts'
import type { Frame } from '../src/wire/frames.ts'
import { clientFrame, ServerFrames } from '../src/wire/websocket.ts'

function hex(...fields: readonly string[]): string {
  return fields.join('')
}

test('packets have the bytes of the specification', () => {
  // MQTT 5.0 §3.1: name, level 5, flags: will with QoS 1, clean start; keep alive 60; no properties; client; will
  const will = { topic: 'w', payload: Buffer.from('x'), qos: 1 }
  expect(connect({ version: 5, clientId: 'c', keepAlive: 60, will }).toString('hex')).toBe(
    hex('10', '15', '00044d515454', '05', '0e', '003c', '00', '000163', '00', '000177', '000178'),
  )
  expect(publish({ version: 4, topic: 'a', qos: 1, id: 7, payload: Buffer.from('!') }).toString('hex')).toBe(
    hex('32', '06', '000161', '0007', '21'),
  )
  expect(subscribe({ version: 5, id: 2, filters: ['a', 'b'], options: 0 }).toString('hex')).toBe(
    hex('82', '0b', '0002', '00', '00016100', '00016200'),
  )
})

test('packets are cut wherever the chunks end', () => {
  const stream = Buffer.concat([Buffer.of(0xd0, 0), publish({ version: 4, topic: 'long', payload: Buffer.alloc(300) })])
  for (let size = 1; size <= stream.length; size++) {
    const cutter = new FrameCutter()
    const frames: Frame[] = []
    for (let at = 0; at < stream.length; at += size) {
      cutter.push(stream.subarray(at, at + size), frame => frames.push(frame))
    }
    expect(frames.map(({ type, body }) => [type, body.length])).toEqual([
      [13, 0],
      [3, 306],
    ])
  }
})

test('a WebSocket carries frames of every length', () => {
  expect(clientFrame(Buffer.from('a')).toString('hex')).toBe(hex('82', '81', '00000000', '61'))
  const server = Buffer.concat([
    Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    Buffer.from([0x82, 126, 0x01, 0x00]),
    Buffer.alloc(256, 1),
    Buffer.from([0x89, 0]),
    Buffer.from([0x82, 1, 2]),
  ])
  const frames = new ServerFrames()
  const lengths: number[] = []
  for (const byte of server) frames.push(Buffer.of(byte), payload => lengths.push(payload.length))
  expect(lengths).toEqual([256, 1])
})
