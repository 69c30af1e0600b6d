import { PersistenceError } from '@x/contract'
import type { Delivery, Message, Subscription } from '@x/contract'

/** A message as it stands in a dump. */
export interface DumpedMessage {
  readonly topic: string
  /** Base64. */
  readonly payload: string
  readonly qos: Message['qos']
  readonly retain: boolean
  /** MQTT 5 properties that travel with it, in wire form, as Base64. */
  readonly properties?: string | undefined
  /** ms since the epoch. */
  readonly expiresAt?: number | undefined
  readonly publisher?: string | undefined
}

/** One line of a dump, as JSON. A session comes before its entries, and before the messages of groups that it is a member of. */
export type DumpRecord =
  | { readonly kind: 'dump'; readonly version: number }
  | { readonly kind: 'retained'; readonly message: DumpedMessage }
  | DumpedSession
  | DumpedEntry
  /** Waits for a member of a shared group, which is named by its filter with `$share`. */
  | { readonly kind: 'waiting'; readonly group: string; readonly message: DumpedMessage }
  /** Is still to be published: its publisher's broker had not yet given it to anybody. */
  | { readonly kind: 'publish'; readonly message: DumpedMessage }

/** A session, as a line of a dump has it. */
export interface DumpedSession {
  readonly kind: 'session'
  readonly clientId: string
  /** Seconds; 4 294 967 295: it never ends. */
  readonly sessionExpiryInterval: number
  /** ms since the epoch; undefined: a full interval from the import on. */
  readonly expiresAt?: number | undefined
  /** In the order of subscribing. */
  readonly subscriptions: readonly Subscription[]
  /** Packet identifiers of QoS 2 messages that were received and not completed. */
  readonly received: readonly number[]
  /** Entries up to here may have been sent. */
  readonly sentThrough: number
  /** Of the newest entry that there ever was. */
  readonly lastSequence: number
  readonly will?: DumpedWill | undefined
}

/** A will, as the line of its session has it. */
export interface DumpedWill {
  readonly message: DumpedMessage
  /** Seconds from the moment it is published. */
  readonly messageExpiryInterval?: number | undefined
  /** ms since the epoch at which it is due. */
  readonly at: number
}

/** A queued message, as a line of a dump has it. */
export interface DumpedEntry {
  readonly kind: 'entry'
  readonly clientId: string
  /** Its packet identifier is `(sequence mod 65535) + 1`. */
  readonly sequence: number
  readonly qos: Delivery['qos']
  readonly retain: boolean
  readonly subscriptionIdentifiers?: readonly number[] | undefined
  /** PUBREC has arrived. */
  readonly released: boolean
  readonly message: DumpedMessage
}

/** Version of the format; a release that changes it takes the next number. */
export const dumpVersion = 1

/** A message, as the lines of a dump have it. */
export function dumpMessage({ topic, payload, qos, retain, properties, expiresAt, publisher }: Message): DumpedMessage {
  return {
    topic,
    payload: payload.toString('base64'),
    qos,
    retain,
    properties: properties === undefined ? undefined : Buffer.from(properties).toString('base64'),
    expiresAt,
    publisher,
  }
}

/** The message, as one that has entered through this broker. */
export function restoreMessage(dumped: DumpedMessage, brokerId: string, brokerCounter: number): Message {
  const { topic, payload, qos, retain, properties, expiresAt, publisher } = dumped
  return {
    topic,
    payload: Buffer.from(payload, 'base64'),
    qos,
    retain,
    properties: properties === undefined ? undefined : Buffer.from(properties, 'base64'),
    expiresAt,
    publisher,
    brokerId,
    brokerCounter,
  }
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isQoS = (value: unknown): boolean => value === 0 || value === 1 || value === 2
const optional =
  (isOf: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === undefined || isOf(value)
const listOf =
  (isOf: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(isOf)
const objectOf =
  (fields: Readonly<Record<string, (value: unknown) => boolean>>) =>
  (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, is]) => is(Reflect.get(value, name)))

const isMessage = objectOf({
  topic: value => isText(value) && value !== '',
  payload: isText,
  qos: isQoS,
  retain: isFlag,
  properties: optional(isText),
  expiresAt: optional(isWhole),
  publisher: optional(isText),
})
const isSubscription = objectOf({
  filter: value => isText(value) && value !== '',
  qos: isQoS,
  noLocal: isFlag,
  retainAsPublished: isFlag,
  retainHandling: isQoS,
  subscriptionIdentifier: optional(isWhole),
})

const isRecord: Readonly<Record<DumpRecord['kind'], (value: unknown) => boolean>> = {
  dump: objectOf({ version: isWhole }),
  retained: objectOf({ message: isMessage }),
  session: objectOf({
    clientId: value => isText(value) && value !== '',
    sessionExpiryInterval: isWhole,
    expiresAt: optional(isWhole),
    subscriptions: listOf(isSubscription),
    received: listOf(isWhole),
    sentThrough: isWhole,
    lastSequence: isWhole,
    will: optional(objectOf({ message: isMessage, messageExpiryInterval: optional(isWhole), at: isWhole })),
  }),
  entry: objectOf({
    clientId: isText,
    sequence: value => isWhole(value) && value !== 0,
    qos: isQoS,
    retain: isFlag,
    subscriptionIdentifiers: optional(listOf(isWhole)),
    released: isFlag,
    message: isMessage,
  }),
  waiting: objectOf({ group: isText, message: isMessage }),
  publish: objectOf({ message: isMessage }),
}

/** @param line its number, for the sentence
 * @throws PersistenceError `OPTION_INVALID` for a line that is no record of a dump */
export function parseRecord(text: string, line: number): DumpRecord {
  let record: unknown
  try {
    record = JSON.parse(text)
  } catch (cause) {
    throw new PersistenceError('OPTION_INVALID', { message: `line ${line} of the dump is not JSON`, cause })
  }
  const kind: unknown = typeof record === 'object' && record !== null && 'kind' in record ? record.kind : undefined
  if (typeof kind === 'string' && Object.hasOwn(isRecord, kind) && isRecord[kind as DumpRecord['kind']](record)) {
    const known = record as DumpRecord
    if (known.kind !== 'dump' || known.version === dumpVersion) return known
    throw new PersistenceError('OPTION_INVALID', {
      message: `the dump has version ${known.version}, this version reads version ${dumpVersion}`,
    })
  }
  throw new PersistenceError('OPTION_INVALID', {
    message: `line ${line} of the dump is no record: ${text.slice(0, 80)}`,
  })
}
