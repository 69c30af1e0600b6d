import { reasonCodeTable } from '@x/packet'
import type { ReasonCodePacket } from '@x/packet'

/** MQTT 5 reason codes by their names in the standard. MQTT 5.0 §2.4 */
export const ReasonCode = {
  success: 0x00,
  disconnectWithWillMessage: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const

/** CONNACK return codes of MQTT 3.1 and 3.1.1, with the sentence each stands for. MQTT 3.1.1 §3.2.2.3 */
export const returnCodeTexts: Readonly<Record<number, string>> = {
  1: 'unacceptable protocol version',
  2: 'identifier rejected',
  3: 'Server unavailable',
  4: 'bad user name or password',
  5: 'not authorized',
}

/** The 3.1.1 return code closest to a CONNACK reason code of MQTT 5. MQTT 3.1.1 §3.2.2.3 */
export function returnCodeOf(reasonCode: number): number {
  switch (reasonCode) {
    case ReasonCode.success:
      return 0
    case ReasonCode.unsupportedProtocolVersion:
      return 1
    case ReasonCode.clientIdentifierNotValid:
      return 2
    case ReasonCode.serverUnavailable:
    case ReasonCode.serverBusy:
    case ReasonCode.serverShuttingDown:
    case ReasonCode.quotaExceeded:
    case ReasonCode.useAnotherServer:
    case ReasonCode.serverMoved:
    case ReasonCode.connectionRateExceeded:
      return 3
    case ReasonCode.badUserNameOrPassword:
      return 4
    default:
      return 5
  }
}

/** The MQTT 5 reason code for a 3.1.1 return code, as hooks written for Aedes give them. */
export function reasonCodeOf(returnCode: number): number {
  switch (returnCode) {
    case 1:
      return ReasonCode.unsupportedProtocolVersion
    case 2:
      return ReasonCode.clientIdentifierNotValid
    case 3:
      return ReasonCode.serverUnavailable
    case 4:
      return ReasonCode.badUserNameOrPassword
    default:
      return ReasonCode.notAuthorized
  }
}

/** A reason code that the packet may carry: the code itself, or the nearest that says as much. Codes come from hooks and from
 * packets that were expected elsewhere, and each packet has a list of its own. MQTT 5.0 §2.4 */
export function codeFor(packet: ReasonCodePacket, code: number): number {
  const allowed = reasonCodeTable[packet]
  if (allowed.includes(code)) return code
  const protocolFault = code === ReasonCode.unsupportedProtocolVersion || code === ReasonCode.receiveMaximumExceeded
  return protocolFault && allowed.includes(ReasonCode.protocolError)
    ? ReasonCode.protocolError
    : ReasonCode.unspecifiedError
}
