import type { Counters } from '@x/contract'

/** What people see of a kind of refusal, or of loss. */
export interface Explained {
  /** Of the error, or the name of the counter. */
  readonly code: string
  readonly count: number
  readonly meaning: string
  readonly advice: string
}

type Explanation = readonly [meaning: string, advice: string]

/** Counters of messages and connections that were lost. */
const losses = {
  droppedOutboxFull: [
    'QoS 0 messages were not sent to clients that read too slowly',
    'find the slow clients by their outgoing bytes; publish less, or give them QoS 1 and a queue',
  ],
  droppedQueueFull: [
    'QoS 1 and 2 messages were dropped because a queue was full',
    'look which sessions have long queues; raise maximumQueuedMessages, or end sessions that nobody comes back for',
  ],
  droppedExpired: ['messages expired before they could be sent', 'nothing, if their expiry was meant'],
  droppedTooLarge: [
    'messages were larger than their receiver takes',
    'raise the Maximum Packet Size of the client, or send smaller messages',
  ],
  readingRested: ['clients sent faster than they may', 'slow them down, or raise maximumPacketRate or maximumByteRate'],
  loginsDelayed: ['logins with a name that fails too often were delayed', 'look who tries passwords'],
} as const satisfies Partial<Record<keyof Counters, Explanation>>

/** Errors that are seen most; the others stand in the tables of the packages. */
const errors: Readonly<Record<string, Explanation>> = {
  NOT_AUTHENTICATED: ['logins were refused', 'look at user name and password of the client, and at the password file'],
  NOT_AUTHORIZED: ['clients may not do what they tried', 'x-broker access explain says which rule decides'],
  FIRST_PACKET_NOT_CONNECT: ['something else than MQTT came', 'look who connects to this port: often HTTP, or TLS'],
  CONNECT_TIMEOUT: ['connections came without a CONNECT', 'look who connects to this port: often a scanner'],
  KEEP_ALIVE_TIMEOUT: ['clients were silent for too long', 'look at their network, and their Keep Alive'],
  CLIENT_ID_INVALID: ['client identifiers are missing or not allowed', 'name the clients'],
  VERSION_NOT_ACCEPTED: ['clients speak a version that the listener does not accept', 'change acceptedVersions'],
  CONNECT_RATE_EXCEEDED: ['an address connects too often', 'let the clients wait between two attempts'],
  FAILED_LOGINS_EXCEEDED: ['an address, or a name, fails to log in too often', 'correct the password, then wait'],
  SESSIONS_PER_USER_EXCEEDED: ['a user has too many sessions', 'end some, or raise maximumSessionsPerUser'],
  SESSIONS_EXCEEDED: ['there are too many sessions', 'end some, or raise maximumSessions'],
  CONNECTIONS_EXCEEDED: [
    'there are too many connections',
    'raise maximumConnections, and the files a process may open',
  ],
  RECEIVE_MAXIMUM_EXCEEDED: ['clients had too many messages open', 'correct the client: it ignores Receive Maximum'],
  PACKET_RATE_EXCEEDED: ['clients were ended for sending too many packets', 'slow them down, or raise the limit'],
  BYTE_RATE_EXCEEDED: ['clients were ended for sending too many bytes', 'slow them down, or raise the limit'],
  PACKET_TOO_LARGE: ['packets were too large', 'send smaller ones, or raise maxPacketSize'],
  PAYLOAD_TOO_LARGE: ['messages were too large', 'send smaller ones, or raise maximumPayloadSize'],
  QOS_NOT_SUPPORTED: ['clients publish with a QoS above the maximum', 'lower their QoS, or raise maximumQoS'],
  SUBSCRIPTION_REFUSED: ['a limit refused subscriptions', 'subscribe to fewer filters, or raise the limit'],
  DRAIN_TIMEOUT: ['clients read nothing for too long, and were ended', 'look at the client, and its network'],
  HOOK_TIMEOUT: ['a hook of the program took too long', 'look what it waits for, or raise hookTimeout'],
  TOO_MANY_CONNECTIONS: ['a listener had too many connections', 'raise its maximumConnections'],
  ADDRESS_NOT_ALLOWED: ['addresses are not allowed at a listener', 'change allow or deny of the listener'],
  ORIGIN_NOT_ALLOWED: ['web pages of other origins tried to connect', 'add their origin to the listener'],
}

const unknown: Explanation = ['see the table of errors in the README of its package', 'the table says']

/** Everything that was refused or dropped since the broker began, the most frequent first. */
export function explanations(counters: Readonly<Counters>): readonly Explained[] {
  const lost = Object.entries(losses).map(([code, explanation]) =>
    explained(code, counters[code as keyof typeof losses], explanation),
  )
  const refused = Object.entries(counters.errors).map(([code, count]) =>
    explained(code, count, Object.hasOwn(errors, code) ? (errors[code] ?? unknown) : unknown),
  )
  return [...lost, ...refused].filter(({ count }) => count > 0).toSorted((one, other) => other.count - one.count)
}

function explained(code: string, count: number, [meaning, advice]: Explanation): Explained {
  return { code, count, meaning, advice }
}
