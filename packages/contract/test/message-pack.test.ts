import { describe, expect, test } from 'vitest'
import { decodeMessagePack } from '../src/index.ts'

function decode(...bytes: readonly number[]): unknown {
  return decodeMessagePack(Buffer.from(bytes))
}

describe('a value in MessagePack', () => {
  test.each([
    ['an integer in its type', [0x7f], 127],
    ['a negative integer in its type', [0xe0], -32],
    ['nil', [0xc0], undefined],
    ['false', [0xc2], false],
    ['true', [0xc3], true],
    ['float 32', [0xca, 0x3f, 0xc0, 0, 0], 1.5],
    ['float 64', [0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5],
    ['uint 8', [0xcc, 0xff], 255],
    ['uint 16', [0xcd, 1, 0], 256],
    ['uint 32', [0xce, 0, 1, 0, 0], 65_536],
    ['uint 64', [0xcf, 0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296],
    ['int 8', [0xd0, 0x80], -128],
    ['int 16', [0xd1, 0x80, 0], -32_768],
    ['int 32', [0xd2, 0x80, 0, 0, 0], -2_147_483_648],
    ['int 64', [0xd3, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0], -8_589_934_592],
    ['a short text', [0xa2, 0x6d, 0x71], 'mq'],
    ['str 8', [0xd9, 2, 0x6d, 0x71], 'mq'],
    ['str 16', [0xda, 0, 2, 0x6d, 0x71], 'mq'],
    ['str 32', [0xdb, 0, 0, 0, 2, 0x6d, 0x71], 'mq'],
    ['bin 8', [0xc4, 2, 1, 2], Buffer.from([1, 2])],
    ['bin 16', [0xc5, 0, 2, 1, 2], Buffer.from([1, 2])],
    ['bin 32', [0xc6, 0, 0, 0, 2, 1, 2], Buffer.from([1, 2])],
    ['a short array', [0x92, 1, 0xc3], [1, true]],
    ['array 16', [0xdc, 0, 2, 1, 2], [1, 2]],
    ['array 32', [0xdd, 0, 0, 0, 2, 1, 2], [1, 2]],
    ['a short map', [0x81, 0xa1, 0x61, 1], { a: 1 }],
    ['map 16', [0xde, 0, 1, 0xa1, 0x61, 1], { a: 1 }],
    ['map 32', [0xdf, 0, 0, 0, 1, 0xa1, 0x61, 0x91, 2], { a: [2] }],
  ])('is read: %s', (_type, bytes, value) => {
    expect(decode(...bytes)).toEqual(value)
  })

  test.each([
    ['nothing', []],
    ['a number without its bytes', [0xcd, 1]],
    ['a text that is cut off', [0xa3, 0x6d, 0x71]],
    ['an array that promises more than there is', [0xdd, 0xff, 0xff, 0xff, 0xff, 1]],
  ])('that ends too early is refused: %s', (_what, bytes) => {
    expect(() => decode(...bytes)).toThrow(RangeError)
  })

  test.each([0xc1, 0xc7, 0xd4])('of a type that stores of Aedes never write is refused: %i', type => {
    expect(() => decode(type, 0, 0)).toThrow(new TypeError(`a value has the type 0x${type.toString(16)}`))
  })

  test('has its keys as own properties, whatever they are called', () => {
    const value = decode(0x81, 0xa9, ...Buffer.from('__proto__'), 1) as object
    expect(Object.entries(value)).toEqual([['__proto__', 1]])
  })
})
