import type { MaybePromise } from '@x/contract'
import { commandOf, decodeControl } from '@x/packet'
import type { AuthPacket, DisconnectPacket, FrameReader } from '@x/packet'
import type { Attempt, EnhancedAuthentication } from './attempt.ts'
import { BrokerError, reasonCodeFrom, toError } from '../ground/broker-error.ts'
import type { ClientConnection } from './client-connection.ts'
import { openSession } from './open-session.ts'
import { applicantOf, askWhenPermitted, loginFailed } from './log-in.ts'
import type { AuthenticationExchange, AuthenticationStep } from '../hooks/hooks.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** Begins the authentication of a CONNECT that names an Authentication Method. */
export function beginAuthentication(connection: ClientConnection, attempt: Attempt): MaybePromise<void> {
  const { authenticationMethod: method = '', authenticationData: data } = attempt.packet.properties ?? {}
  if (connection.engine.hooks.authenticateEnhanced === undefined) {
    // [MQTT5-4.12.0-1]
    throw new BrokerError('AUTHENTICATION_METHOD', {
      message: `authentication method '${method}' is not supported: there is no authenticateEnhanced hook`,
      reasonCode: ReasonCode.badAuthenticationMethod,
    })
  }
  connection.authentication = { method, attempt, again: false, answer: undefined }
  return proceed(connection, connection.authentication, { data, step: 'connect' })
}

/** Receives a packet before CONNACK: AUTH, which continues the exchange, or DISCONNECT ([MQTT5-3.1.2-30]). */
export function receiveAuthentication(connection: ClientConnection, reader: FrameReader): MaybePromise<void> {
  const { authentication } = connection
  const command = commandOf(reader.header)
  if (authentication === undefined || (command !== 'auth' && command !== 'disconnect'))
    throw notNow(command ?? 'type 0')
  const packet = decodeControl(reader.frame(), connection.version, connection.engine.frameSettings) as
    | AuthPacket
    | DisconnectPacket
  if (packet.cmd === 'disconnect') {
    connection.end({ reason: 'disconnect', discardWill: true })
    return undefined
  }
  checkAuth(packet, authentication, ReasonCode.continueAuthentication)
  connection.phase = 'connecting'
  return proceed(connection, authentication, { data: packet.properties?.authenticationData, step: 'continue' })
}

/** Receives AUTH from a connected client, which begins or continues a re-authentication. MQTT 5.0 §4.12.1 */
export function receiveReauthentication(connection: ClientConnection, packet: AuthPacket): MaybePromise<void> {
  const { authentication } = connection
  // [MQTT5-4.12.0-7]
  if (authentication === undefined) throw notNow('auth')
  const expected = authentication.again ? ReasonCode.continueAuthentication : ReasonCode.reAuthenticate
  checkAuth(packet, authentication, expected)
  const step = authentication.again ? 'continue' : 'reauthenticate'
  authentication.again = true
  return proceed(connection, authentication, { data: packet.properties?.authenticationData, step })
}

function proceed(
  connection: ClientConnection,
  authentication: EnhancedAuthentication,
  exchange: Pick<AuthenticationExchange, 'data' | 'step'>,
): MaybePromise<void> {
  const { authenticateEnhanced } = connection.engine.hooks
  if (authenticateEnhanced === undefined) throw notNow('auth')
  const { username, password } = authentication.attempt?.packet ?? {}
  const { client } = connection
  const { method } = authentication
  const applicant = applicantOf(connection, authentication.attempt?.packet)
  const ask = (): MaybePromise<AuthenticationStep> =>
    authenticateEnhanced(client, { ...exchange, method, username, password })
  const step = recover(
    () => askWhenPermitted(connection, applicant, ask),
    thrown => {
      loginFailed(connection, applicant, thrown)
      return refused(thrown)
    },
  )
  return after(step, result => carryOn(connection, authentication, result))
}

/** An error of the hook refuses the client: with its own reason code, or else as not authorized. */
function refused(thrown: unknown): never {
  const error = toError(thrown)
  if (reasonCodeFrom(error, 0) !== 0) throw error
  throw new BrokerError('NOT_AUTHENTICATED', {
    message: error.message,
    reasonCode: ReasonCode.notAuthorized,
    cause: error,
  })
}

function carryOn(
  connection: ClientConnection,
  authentication: EnhancedAuthentication,
  result: AuthenticationStep,
): MaybePromise<void> {
  const properties = {
    authenticationMethod: authentication.method,
    ...(result.data !== undefined && { authenticationData: result.data }),
  }
  const { attempt } = authentication
  if (!result.done) {
    if (attempt !== undefined) {
      if (connection.phase !== 'connecting') return undefined
      connection.phase = 'authenticating'
    }
    connection.sendPacket({ cmd: 'auth', reasonCode: ReasonCode.continueAuthentication, properties })
    return undefined
  }
  authentication.again = false
  if (attempt === undefined) {
    connection.sendPacket({ cmd: 'auth', reasonCode: ReasonCode.success, properties })
    return undefined
  }
  authentication.attempt = undefined
  authentication.answer = properties
  connection.engine.logins.succeeded(applicantOf(connection, attempt.packet))
  return openSession(connection, attempt)
}

/** [MQTT5-4.12.0-3], [MQTT5-4.12.0-5], [MQTT5-4.12.1-1] */
function checkAuth(packet: AuthPacket, { method }: EnhancedAuthentication, reasonCode: number): void {
  if (packet.reasonCode !== reasonCode) {
    throw new BrokerError('AUTHENTICATION_METHOD', {
      message: `AUTH with reason code ${packet.reasonCode}, it must be ${reasonCode} here`,
      reasonCode: ReasonCode.protocolError,
    })
  }
  const named = packet.properties?.authenticationMethod
  if (named === method) return
  throw new BrokerError('AUTHENTICATION_METHOD', {
    message: `AUTH names method '${named ?? ''}', CONNECT named '${method}'`,
    reasonCode: ReasonCode.protocolError,
  })
}

function notNow(cmd: string): BrokerError {
  return new BrokerError('PACKET_NOT_ALLOWED', {
    message: `${cmd.toUpperCase()} is not allowed at this point of the authentication`,
    reasonCode: ReasonCode.protocolError,
  })
}
