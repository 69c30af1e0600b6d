import { expect, test } from 'vitest'
import { connectFrame, publishFrame, subscribeFrame, variableByteInteger } from '../src/frames.ts'

test('encodes CONNECT of MQTT 5 with an empty property set', () => {
  expect([...connectFrame({ version: 5, clientId: 'c', clean: true })]).toEqual(
    // oxfmt-ignore
    [0x10, 14,                   // CONNECT, 14 bytes remain
      0, 4, 77, 81, 84, 84,      // MQTT
      5, 2, 600 >> 8, 600 & 255, // version, clean start, keep alive
      0,                         // no properties
      0, 1, 99], // c
  )
})

test('encodes a retained PUBLISH at QoS 1 of MQTT 3.1.1', () => {
  const bytes = publishFrame({ version: 4, topic: 'a', payload: Buffer.of(33), qos: 1, retain: true, packetId: 10 })
  expect([...bytes]).toEqual([0x33, 6, 0, 1, 0x61, 0, 10, 33])
})

test('encodes user properties in MQTT 5 alone', () => {
  const publish = { topic: 'a', payload: Buffer.of(33), qos: 0, userProperties: [['k', 'v']] } as const
  expect([...publishFrame({ ...publish, version: 5 })]).toEqual([
    0x30, 12, 0, 1, 0x61, 7, 0x26, 0, 1, 0x6b, 0, 1, 0x76, 33,
  ])
  expect([...publishFrame({ ...publish, version: 4 })]).toEqual([0x30, 4, 0, 1, 0x61, 33])
})

test('encodes SUBSCRIBE of several filters', () => {
  expect([...subscribeFrame(4, ['a', '#'], 1)]).toEqual([0x82, 10, 0, 1, 0, 1, 0x61, 1, 0, 1, 0x23, 1])
})

test('encodes variable byte integers at the edges of their lengths', { tags: ['MQTT5-1.5.5-1'] }, () => {
  expect([...variableByteInteger(0)]).toEqual([0])
  expect([...variableByteInteger(127)]).toEqual([127])
  expect([...variableByteInteger(128)]).toEqual([0x80, 1])
  expect([...variableByteInteger(268_435_455)]).toEqual([0xff, 0xff, 0xff, 0x7f])
})
