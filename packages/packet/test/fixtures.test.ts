import { describe, expect, test } from 'vitest'
import { Decoder, encode, type Packet } from '../src/index.ts'
import { essence } from './bytes.ts'
import { type Fixture, fixtures } from './fixtures.ts'

const rows = fixtures.flatMap(fixture => fixture.versions.map(version => ({ ...fixture, version })))
type Row = (typeof rows)[number]

function decode(row: Pick<Row, 'version' | 'sender'>, ...chunks: Buffer[]): object[] {
  const decoder = new Decoder({ protocolVersion: row.version, sender: row.sender })
  const packets: Packet[] = []
  for (const chunk of chunks) packets.push(...decoder.push(chunk))
  return packets.map(packet => essence(packet))
}

const expected = (fixture: Fixture): object => essence(fixture.packet)

describe.each(rows)('$title, version $version', row => {
  test('decodes', () => {
    expect(decode(row, row.frame)).toEqual([expected(row)])
  })

  test('decodes alike when cut at any byte', () => {
    for (let cut = 1; cut < row.frame.length; cut++) {
      expect(decode(row, row.frame.subarray(0, cut), row.frame.subarray(cut)), `cut at ${cut}`).toEqual([expected(row)])
    }
  })

  test('decodes alike byte by byte', () => {
    const single = [...row.frame].map(byte => Buffer.of(byte))
    expect(decode(row, ...single)).toEqual([expected(row)])
  })

  test('tells the remaining length', () => {
    const [packet] = new Decoder({ protocolVersion: row.version, sender: row.sender }).push(row.frame)
    expect(packet?.length).toBe(row.frame.length - (row.frame.length > 129 ? 3 : 2))
  })
})

test.each(rows.filter(row => row.decodeOnly === undefined))('$title, version $version, encodes to its bytes', row => {
  expect(encode(row.packet, row.version).toString('hex')).toBe(row.frame.toString('hex'))
})

describe.each([
  { version: 3, sender: 'client' },
  { version: 4, sender: 'client' },
  { version: 5, sender: 'client' },
  { version: 3, sender: 'server' },
  { version: 4, sender: 'server' },
  { version: 5, sender: 'server' },
] as const)('all packets of version $version from the $sender', connection => {
  // A bridge's CONNECT changes what later packets mean.
  const sent = fixtures.filter(
    ({ sender, versions, packet }) =>
      sender === connection.sender && versions.includes(connection.version) && !('bridgeMode' in packet),
  )
  const stream = Buffer.concat(sent.map(fixture => fixture.frame))

  test('decode in order when merged into one chunk', () => {
    expect(decode(connection, stream)).toEqual(sent.map(expected))
  })

  test.each([2, 3, 7, 64])('decode in order in chunks of %i bytes', size => {
    const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) =>
      stream.subarray(index * size, (index + 1) * size),
    )
    expect(decode(connection, ...chunks)).toEqual(sent.map(expected))
  })
})

test('there is a fixture of every packet type in every version that has it', () => {
  const present = new Set(rows.map(row => `${row.packet.cmd} ${row.version}`))
  const commands = ['connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'suback']
  const others = ['unsubscribe', 'unsuback', 'pingreq', 'pingresp', 'disconnect']
  const all = [...commands, ...others].flatMap(command => [3, 4, 5].map(version => `${command} ${version}`))
  expect([...present].toSorted()).toEqual([...all, 'auth 5'].toSorted())
})
