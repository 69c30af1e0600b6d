import { PersistenceError } from '@x/contract'
import type { PersistenceErrorCode } from '@x/contract'
import type { Packet } from '@x/packet'
import { ReasonCode } from './reason-code.ts'
import type { StepCode } from './steps.ts'

/** The stable codes of `BrokerError`; ERRORS.md says when each comes and what to do. */
export type BrokerErrorCode =
  // What a peer did
  | 'FIRST_PACKET_NOT_CONNECT'
  | 'SECOND_CONNECT'
  | 'PACKET_NOT_ALLOWED'
  | 'CONNECT_TIMEOUT'
  | 'KEEP_ALIVE_TIMEOUT'
  | 'KEEP_ALIVE_LIMIT'
  | 'VERSION_NOT_ACCEPTED'
  | 'CLIENT_ID_INVALID'
  | 'CONTROL_WILL'
  | 'CLIENT_ID_TOO_LONG'
  | 'CONNECT_RATE_EXCEEDED'
  | 'FAILED_LOGINS_EXCEEDED'
  | 'SESSIONS_PER_USER_EXCEEDED'
  | 'SESSIONS_EXCEEDED'
  | 'CONNECTIONS_EXCEEDED'
  | 'RECEIVE_MAXIMUM_EXCEEDED'
  | 'ACKNOWLEDGEMENT_WRONG'
  | 'TOPIC_ALIAS_INVALID'
  | 'TOPIC_ALIAS_BYTES_EXCEEDED'
  | 'PACKET_RATE_EXCEEDED'
  | 'BYTE_RATE_EXCEEDED'
  | 'PACKET_TIMEOUT'
  | 'UNFINISHED_BYTES_EXCEEDED'
  | 'QOS_NOT_SUPPORTED'
  | 'PAYLOAD_TOO_LARGE'
  | 'RETAIN_NOT_SUPPORTED'
  | 'SESSION_EXPIRY_INVALID'
  | 'AUTHENTICATION_METHOD'
  | 'CONNECTION_CLOSED'
  | 'MAXIMUM_PACKET_SIZE'
  | 'DRAIN_TIMEOUT'
  | 'QUEUE_LIMIT'
  | 'SUBSCRIPTION_REFUSED'
  // What the program or its hooks decided
  | 'NOT_AUTHENTICATED'
  | 'NOT_AUTHORIZED'
  | 'HOOK_TIMEOUT'
  | 'HOOK_RESULT_INVALID'
  | 'SUBSCRIBER_TIMEOUT'
  | 'NESTED_TOO_DEEP'
  // What the program's code threw where it refused nobody
  | 'LISTENER_FAILED'
  | 'CALLBACK_FAILED'
  | 'SUBSCRIBER_FAILED'
  | 'HOOK_FAILED'
  | 'PLUGIN_FAILED'
  // What a part of this broker could not do
  | StepCode
  | 'STORE_RESULT_INVALID'
  // What the caller did
  | 'OPTION_INVALID'
  | 'STREAM_INVALID'
  | 'BROKER_CLOSED'
  | 'NOT_OPEN'
  | 'PACKET_INVALID'

/** The engine's refusals: a stable code, the reason code for an MQTT 5 peer, and a sentence with the value and the limit. Where programs
 * written for Aedes compare `message`, it is exactly Aedes's, and the values are in `detail`. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: BrokerErrorCode
  /** The value and the limit, where `message` does not have them. Peers and logs get both. */
  readonly detail: string | undefined
  /** MQTT 5 reason code for the peer; 3.1.1 peers get the return code nearest to it, or a closed connection. */
  readonly reasonCode: number
  /** CONNACK code that was sent, for errors before a connection was accepted. */
  errorCode?: number
  /** The packet that was not allowed, for errors that are about one. */
  info?: Packet

  constructor(
    code: BrokerErrorCode,
    options: { message: string; reasonCode: number; detail?: string; cause?: unknown; info?: Packet },
  ) {
    super(options.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.reasonCode = options.reasonCode
    this.detail = options.detail
    if (options.info !== undefined) this.info = options.info
  }
}

/** Returns what was thrown as an Error that can be read. An error whose properties throw is replaced, since it would throw again
 * wherever it is reported. */
export function toError(thrown: unknown): Error {
  try {
    if (!(thrown instanceof Error)) return new Error(String(thrown))
    readAll(thrown)
    return thrown
  } catch {
    return new Error('what was thrown can not be read')
  }
}

/** Reads every property that is read later. */
function readAll(
  error: Error & { code?: unknown; reasonCode?: unknown; returnCode?: unknown; serverReference?: unknown },
): void {
  const { name, message, code, reasonCode, returnCode, serverReference } = error
  for (const value of [name, message, code, reasonCode, returnCode, serverReference]) {
    text(value)
  }
}

/** Whether it is an error with this stable code, of any package. */
export function hasCode(error: unknown, code: BrokerErrorCode | PersistenceErrorCode): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code
}

/** The MQTT 5 reason code an error carries, or `fallback`. */
export function reasonCodeFrom(error: unknown, fallback: number): number {
  if (typeof error !== 'object' || error === null) return fallback
  if (error instanceof PersistenceError && error.code === 'QUOTA_EXCEEDED') return ReasonCode.quotaExceeded
  if (!('reasonCode' in error)) return fallback
  const { reasonCode } = error
  return typeof reasonCode === 'number' && reasonCode >= 0x80 && reasonCode <= 0xff ? reasonCode : fallback
}

/** Message and detail of an error as one sentence. */
export function sentenceOf(error: Error): string {
  return error instanceof BrokerError && error.detail !== undefined
    ? `${error.message}: ${error.detail}`
    : text(error.message)
}

/** Characters of a reason string; longer ones help nobody. */
const longestReason = 1000

/** The sentence of an error as a reason string; a hook may have put anything there. */
export function reasonStringOf(error: Error): string {
  return asReasonString(sentenceOf(error))
}

/** The text as a UTF-8 string that MQTT allows, cut to 1000 characters. MQTT 5.0 §1.5.4 */
export function asReasonString(sentence: string): string {
  // UTF-8 has no lone surrogates, so encoding replaces them.
  return Buffer.from(sentence.slice(0, longestReason).replaceAll('\0', ' ')).toString()
}

/** Joins the reasons of the items into one reason string; undefined when there is none. */
export function joinReasons<Item>(
  items: readonly Item[],
  reasonOf: (item: Item) => string | undefined,
): string | undefined {
  let joined: string | undefined
  for (const item of items) {
    const reason = reasonOf(item)
    if (reason === undefined) continue
    joined = joined === undefined ? reason : `${joined}; ${reason}`
    if (joined.length >= longestReason) break
  }
  return joined === undefined ? undefined : asReasonString(joined)
}

/** The server that an error of a hook refers the client to (with 0x9C or 0x9D). MQTT 5.0 §3.2.2.3.16 */
export function serverReferenceOf(error: unknown): { serverReference?: string } {
  if (typeof error !== 'object' || error === null || !('serverReference' in error)) return {}
  const { serverReference } = error
  return typeof serverReference === 'string' ? { serverReference: asReasonString(serverReference) } : {}
}

/** Returns a text even when a hook has put another type there. */
function text(message: unknown): string {
  return typeof message === 'string' ? message : String(message)
}
