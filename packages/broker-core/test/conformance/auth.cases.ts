import { property } from '../support/property.ts'
import { auth, bytes, disconnect, packet, pingreq, propertySet, publish } from '../support/wire.ts'

/** What a client sends in place of the AUTH that answers the challenge, or, connected, of the one that begins again. */
export interface WrongAuthCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  /** Codes one of which the CONNACK, or DISCONNECT, has. */
  readonly reasonCodes: readonly number[]
}

const method = property.authenticationMethod('QUIZ')

/** During the authentication of CONNECT by the method `QUIZ`. */
export const wrongAnswerCases: readonly WrongAuthCase[] = [
  {
    title: 'AUTH with flags 0001 ends the authentication',
    tags: ['MQTT5-3.15.1-1'],
    send: packet(
      0xf1,
      0x18, // Continue authentication
      propertySet(5, method),
    ),
    reasonCodes: [0x81],
  },
  {
    title: 'AUTH with a code that is none ends the authentication',
    tags: ['MQTT5-3.15.2-1'],
    send: auth(0x01, method),
    reasonCodes: [0x81, 0x82],
  },
  {
    title: 'AUTH with a code of other packets ends the authentication',
    tags: ['MQTT5-3.15.2-1'],
    send: auth(0x87, method),
    reasonCodes: [0x81, 0x82],
  },
  {
    title: 'AUTH with code 0x00 in answer to a challenge ends the authentication',
    tags: ['MQTT5-4.12.0-3'],
    send: auth(0x00, [...method, ...property.authenticationData('right')]),
    reasonCodes: [0x82],
  },
  {
    title: 'AUTH with code 0x19 in answer to a challenge ends the authentication',
    tags: ['MQTT5-4.12.0-3'],
    send: auth(0x19, [...method, ...property.authenticationData('right')]),
    reasonCodes: [0x82],
  },
  {
    title: 'AUTH without code and properties, which means 0x00, ends the authentication',
    tags: ['MQTT5-4.12.0-3'],
    send: packet(0xf0),
    reasonCodes: [0x82],
  },
  {
    title: 'AUTH that names another method ends the authentication',
    tags: ['MQTT5-4.12.0-5'],
    send: auth(0x18, [...property.authenticationMethod('quiz'), ...property.authenticationData('right')]),
    reasonCodes: [0x82],
  },
  {
    title: 'AUTH that names no method ends the authentication',
    tags: ['MQTT5-4.12.0-5'],
    send: auth(0x18, property.authenticationData('right')),
    reasonCodes: [0x81, 0x82],
  },
  {
    title: 'AUTH that names its method twice ends the authentication',
    tags: ['MQTT5-4.12.0-5', 'MQTT5-4.13.1-1'],
    send: auth(0x18, [...method, ...method, ...property.authenticationData('right')]),
    reasonCodes: [0x82],
  },
]

/** From a client that the method `QUIZ` has let in. */
export const wrongAgainCases: readonly WrongAuthCase[] = [
  {
    title: 'AUTH with flags 1000 closes the connection',
    tags: ['MQTT5-3.15.1-1'],
    send: packet(
      0xf8,
      0x19, // Re-authenticate
      propertySet(5, method),
    ),
    reasonCodes: [0x81],
  },
  {
    title: 'AUTH with a code that is none closes the connection',
    tags: ['MQTT5-3.15.2-1'],
    send: auth(0x02, method),
    reasonCodes: [0x81, 0x82],
  },
  {
    title: 'AUTH 0x18 that answers no challenge closes the connection',
    tags: ['MQTT5-4.12.0-3'],
    send: auth(0x18, method),
    reasonCodes: [0x82],
  },
  {
    title: 'a re-authentication with another method closes the connection',
    tags: ['MQTT5-4.12.1-1'],
    send: auth(0x19, [...property.authenticationMethod('OTHER'), ...property.authenticationData('right')]),
    reasonCodes: [0x82],
  },
  {
    title: 'a re-authentication without method closes the connection',
    tags: ['MQTT5-4.12.1-1'],
    send: auth(0x19),
    reasonCodes: [0x81, 0x82],
  },
  {
    title: 'another method in the midst of a re-authentication closes the connection',
    tags: ['MQTT5-4.12.1-1'],
    send: bytes(auth(0x19, method), auth(0x18, property.authenticationMethod('OTHER'))),
    reasonCodes: [0x82],
  },
  {
    title: 'a re-authentication within another one closes the connection',
    tags: ['MQTT5-4.12.0-3'],
    send: bytes(auth(0x19, method), auth(0x19, method)),
    reasonCodes: [0x82],
  },
  {
    title: 'a wrong answer to a re-authentication closes the connection with the code of the hook',
    tags: ['MQTT5-4.12.1-2'],
    send: bytes(auth(0x19, method), auth(0x18, [...method, ...property.authenticationData('wrong')])),
    reasonCodes: [0x87],
  },
  {
    title: 'a re-authentication that the hook refuses at once closes the connection',
    tags: ['MQTT5-4.12.1-2'],
    send: auth(0x19, [...method, ...property.authenticationData('wrong')]),
    reasonCodes: [0x87],
  },
]

/** Between the challenge and its answer only AUTH and DISCONNECT may come. MQTT 5.0 §4.12 */
export const otherPackets: Readonly<Record<string, Buffer>> = {
  PUBLISH: publish({ topic: 'a' }),
  PINGREQ: pingreq,
  'DISCONNECT with a code that is none': disconnect(0x03),
}
