import type { Random } from '@x/chaos/random'
import {
  acknowledgement,
  bytes,
  connect,
  packet,
  propertySet,
  publish,
  subscribe,
  text,
  u16,
  unsubscribe,
} from '../wire/bytes.ts'
import type { Version } from '../wire/bytes.ts'
import { property } from '../wire/bytes.ts'
import { randomProperties } from './properties.ts'

/** What a peer remembers of its own conversation. */
export interface Talk {
  readonly random: Random
  readonly version: Version
  readonly clientId: string
  /** Packet identifiers that are in use. */
  readonly ids: number[]
  readonly aliases: Set<number>
  nextId: number
}

const topics = ['f/a', 'f/b', 'f/a/b', 'f/c', 'f', 'f/é', '/', '$SYS/f', '$f/a', 'g/a'] as const
const filters = [
  'f/a',
  'f/+',
  'f/#',
  '#',
  '+/a',
  '+',
  '$SYS/#',
  '$share/s/f/a',
  '$share/s/f/#',
  '$share/t/+/a',
  '$share//f',
  '$share/s',
  'f/#/a',
  'f+',
  '',
  'f/a/b',
] as const
const clientIds = ['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c9', ''] as const

export function randomClientId(random: Random): string {
  return random.pick(clientIds)
}

export function randomTopic(random: Random): string {
  return random.pick(topics)
}

/** Any valid or nearly valid packet of a client; weights make a conversation that goes somewhere. */
export function randomPacket(talk: Talk): Buffer {
  return talk.random.weighed<(talk: Talk) => Buffer>([
    [publishPacket, 34],
    [subscribePacket, 20],
    [unsubscribePacket, 6],
    [acknowledgementPacket, 14],
    [pingPacket, 6],
    [disconnectPacket, 5],
    [authPacket, 4],
    [connectPacket, 3],
    [serverPacket, 3],
    [noisePacket, 2],
  ])(talk)
}

export function connectPacket({ random, version, clientId }: Talk): Buffer {
  const will = random.chance(0.4) && {
    topic: random.chance(0.95) ? randomTopic(random) : random.pick(filters),
    payload: Buffer.alloc(random.between(0, 20), 'w'),
    qos: random.between(0, 2),
    retain: random.chance(0.3),
    properties: bytes(
      random.chance(0.4) ? property.willDelayInterval(random.between(0, 10)) : Buffer.alloc(0),
      random.chance(0.2) ? randomProperties(random, 'will') : Buffer.alloc(0),
    ),
  }
  return connect({
    version,
    clientId,
    cleanStart: random.chance(0.5),
    keepAlive: random.pick([0, 0, 1, 5, 60, 65_535]),
    properties: connectProperties(random),
    ...(will !== false && { will }),
    ...(random.chance(0.4) && { username: random.pick(['', 'ann', 'x']) }),
    ...(random.chance(0.4) && { password: random.pick(['', 'secret']) }),
  })
}

function connectProperties(random: Random): Buffer {
  if (random.chance(0.3)) return randomProperties(random, 'connect')
  return bytes(
    random.chance(0.6) ? property.sessionExpiryInterval(random.pick([0, 1, 5, 60, 4_294_967_295])) : Buffer.alloc(0),
    random.chance(0.3) ? property.receiveMaximum(random.pick([1, 2, 10])) : Buffer.alloc(0),
    random.chance(0.2) ? bytes(0x22, u16(random.pick([0, 1, 5]))) : Buffer.alloc(0),
    random.chance(0.15) ? bytes(0x15, text('M'), 0x16, text('data')) : Buffer.alloc(0),
    random.chance(0.1) ? bytes(0x27, 0, 0, 0, random.pick([1, 5, 20, 100])) : Buffer.alloc(0),
  )
}

function publishPacket(talk: Talk): Buffer {
  const { random, version } = talk
  const qos = random.weighed([
    [0, 4],
    [1, 4],
    [2, 4],
    [3, 0.1],
  ])
  const id = qos === 0 ? 0 : chooseId(talk)
  const aliased = version === 5 && random.chance(0.2)
  const alias = random.pick([1, 1, 2, 3, 1024, 1025, 0])
  const isKnown = aliased && talk.aliases.has(alias) && random.chance(0.7)
  if (aliased) talk.aliases.add(alias)
  const topic = random.chance(0.96) ? randomTopic(random) : random.pick(filters)
  return publish({
    version,
    topic: isKnown || (aliased && random.chance(0.1)) ? '' : topic,
    payload: Buffer.alloc(
      random.weighed([
        [0, 2],
        [5, 6],
        [200, 2],
        [5000, 1],
      ]),
      'p',
    ),
    qos,
    id,
    retain: random.chance(0.25),
    dup: random.chance(0.1),
    properties: bytes(
      aliased ? property.topicAlias(alias) : Buffer.alloc(0),
      random.chance(0.15) ? property.messageExpiryInterval(random.pick([0, 1, 5, 1000])) : Buffer.alloc(0),
      random.chance(0.2) ? randomProperties(random, 'publish') : Buffer.alloc(0),
    ),
  })
}

/** Mostly a free one; now and then one that is in use, or none. */
function chooseId(talk: Talk): number {
  const { random } = talk
  if (talk.ids.length > 0 && random.chance(0.15)) return random.pick(talk.ids)
  if (random.chance(0.02)) return 0
  talk.nextId = random.chance(0.05) ? 65_535 : (talk.nextId % 65_535) + 1
  talk.ids.push(talk.nextId)
  return talk.nextId
}

function subscribePacket(talk: Talk): Buffer {
  const { random, version } = talk
  const wishes = Array.from(
    {
      length: random.weighed([
        [1, 6],
        [2, 3],
        [5, 1],
        [0, 0.1],
      ]),
    },
    () => {
      const options = random.chance(0.9)
        ? random.between(0, 2) | (version === 5 ? random.between(0, 11) << 2 : 0)
        : random.between(0, 255)
      return bytes(text(random.pick(filters)), options)
    },
  )
  const properties = bytes(
    random.chance(0.3) ? property.subscriptionIdentifier(random.pick([1, 2, 200, 268_435_455, 0])) : Buffer.alloc(0),
    random.chance(0.1) ? randomProperties(random, 'subscribe') : Buffer.alloc(0),
  )
  if (wishes.length > 0 && random.chance(0.2))
    return subscribe({ version, id: chooseId(talk), filters: ['f/a', 'f/+'] })
  return packet(0x82, u16(chooseId(talk)), propertySet(version, properties), ...wishes)
}

function unsubscribePacket(talk: Talk): Buffer {
  const { random, version } = talk
  const names = Array.from({ length: random.between(1, 3) }, () => random.pick(filters))
  const properties = randomProperties(random, 'unsubscribe')
  return unsubscribe({ version, id: chooseId(talk), filters: names, properties })
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP, in any state. */
function acknowledgementPacket(talk: Talk): Buffer {
  const { random, version } = talk
  const first = random.pick([0x40, 0x50, 0x62, 0x62, 0x62, 0x70, 0x60])
  const id = talk.ids.length > 0 && random.chance(0.8) ? random.pick(talk.ids) : random.between(0, 5)
  if (version !== 5 || random.chance(0.6)) return acknowledgement(first, id)
  const code = random.pick([0, 0, 0x10, 0x80, 0x92, 0x97, 0x01, 0xff])
  if (random.chance(0.4)) return packet(first, u16(id), code)
  return packet(first, u16(id), code, propertySet(version, randomProperties(random, 'acknowledgement')))
}

function pingPacket(): Buffer {
  return Buffer.of(0xc0, 0)
}

function disconnectPacket({ random, version }: Talk): Buffer {
  if (version !== 5 || random.chance(0.5)) return Buffer.of(0xe0, 0)
  const code = random.pick([0, 4, 0x80, 0x8e, 0x98, 0x9c, 1, 0xff])
  const properties = random.chance(0.4)
    ? property.sessionExpiryInterval(random.pick([0, 5, 4_294_967_295]))
    : randomProperties(random, 'disconnect')
  return packet(0xe0, code, propertySet(version, properties))
}

function authPacket({ random, version }: Talk): Buffer {
  const code = random.pick([0, 0x18, 0x19, 0x19, 0x80])
  const proper = bytes(0x15, text('M'), 0x16, text('more'))
  return packet(0xf0, code, propertySet(version, random.chance(0.7) ? proper : randomProperties(random, 'auth')))
}

/** What only a broker may send. */
function serverPacket(talk: Talk): Buffer {
  const id = u16(chooseId(talk))
  return talk.random.pick([
    Buffer.of(0x20, 2, 0, 0),
    packet(0x90, id, propertySet(talk.version), 0),
    packet(0xb0, id, propertySet(talk.version), ...(talk.version === 5 ? [0] : [])),
    Buffer.of(0xd0, 0),
    Buffer.of(0x00, 0),
    Buffer.of(0xf0, 0),
  ])
}

function noisePacket({ random }: Talk): Buffer {
  return Buffer.from(Array.from({ length: random.between(1, 30) }, () => random.between(0, 255)))
}
