import { createHash } from 'node:crypto'

/** The first byte of each key says what stands there; the table is the directory's whole layout. Numbers in keys have six
 * bytes, most significant first, so that keys sort by them. */
export const kind = {
  /** `meta` name: schema, totals, next numbers, last writer. */
  meta: 0x21,
  /** client identifier: session record. */
  session: 0x63,
  /** session number, filter: subscription. */
  subscription: 0x73,
  /** filter by levels, session or group number: who is to get what matches. */
  route: 0x66,
  /** The same for a filter too long for a key. */
  longRoute: 0x46,
  /** session number, sequence: entry of its queue. */
  entry: 0x71,
  /** message number: message that several queues share. */
  message: 0x6d,
  /** message number: entries that point to it. */
  references: 0x6e,
  /** topic by levels: retained message. */
  retained: 0x72,
  /** topic too long for a key by its levels: retained message. */
  longRetained: 0x52,
  /** client identifier: how much of what is retained it has published. */
  retainedShare: 0x53,
  /** time, retained number: topic. */
  retainedExpiry: 0x65,
  /** time, what is due, session, will or group number: client identifier, or shared filter. */
  deadline: 0x64,
  /** shared filter: group record. */
  group: 0x67,
  /** group number, session number: the member's subscription. */
  member: 0x6a,
  /** group number, sequence: message that waits. */
  waiting: 0x68,
  /** session number, sequence: where a claimed entry goes back to. */
  claim: 0x6b,
  /** session number, packet identifier: QoS 2 message received and not completed. */
  received: 0x69,
  /** session number: the will of its connection, or the one that waits for its delay. */
  will: 0x77,
  /** will number: will that was handed out and not confirmed. */
  handedOut: 0x75,
  /** instance number: a broker that has the directory open, or had it when it died. */
  instance: 0x4c,
  /** instance number, session number: client identifier of a session that is open there. */
  owned: 0x6f,
} as const

const numberLength = 6
/** Bytes of a text in a key; lmdb allows 1978 for all of a key. */
const maximumText = 1800
const hashLength = 32
const separator = 0x01
const escape = 0x02

/** The key of a value about the whole store. */
export function metaKey(name: string): Buffer {
  return Buffer.from(`${String.fromCharCode(kind.meta)}${name}`)
}

/** A key of numbers alone. */
export function numberKey(first: number, ...numbers: readonly number[]): Buffer {
  const key = Buffer.allocUnsafe(1 + numbers.length * numberLength)
  key[0] = first
  let place = 1
  for (const number of numbers) place = key.writeUIntBE(number, place, numberLength)
  return key
}

/** The number at this place of a {@link numberKey}. */
export function numberAt(key: Buffer, index: number): number {
  return key.readUIntBE(1 + index * numberLength, numberLength)
}

/** A key of numbers and a text at its end; a long text is cut, and told from others by its hash. */
export function textKey(first: number, text: string, ...numbers: readonly number[]): Buffer {
  return Buffer.concat([numberKey(first, ...numbers), shortened(Buffer.from(text))])
}

function shortened(text: Buffer): Buffer {
  if (text.length <= maximumText) return text
  const hash = createHash('sha256').update(text).digest()
  return Buffer.concat([text.subarray(0, maximumText - hashLength), hash])
}

/** A topic or filter as it stands in keys: its levels with a separator that sorts below every character, so that all that is below
 * a level stands together. */
export function levelBytes(levels: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (const [index, level] of levels.entries()) {
    if (index > 0) parts.push(separatorByte)
    parts.push(escaped(level))
  }
  return Buffer.concat(parts)
}

const separatorByte: Buffer = Buffer.of(separator)

/** Characters that would be taken for a separator. They may stand in a topic, but hardly ever do. */
function escaped(level: string): Buffer {
  const bytes = Buffer.from(level)
  if (!bytes.includes(separator) && !bytes.includes(escape)) return bytes
  const longer: number[] = []
  for (const byte of bytes) {
    if (byte === separator || byte === escape) longer.push(escape)
    longer.push(byte)
  }
  return Buffer.from(longer)
}

/** Whether a topic or filter fits into a key by its levels. */
export function fitsKey(levels: Buffer): boolean {
  return levels.length <= maximumText
}
