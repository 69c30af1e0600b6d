import { ReasonCodes } from 'mqtt'

/** MQTT 3.1.1 §3.2.2.3, as Mosquitto's tools say them. */
const refusals = [
  'Connection Accepted.',
  'Connection Refused: unacceptable protocol version.',
  'Connection Refused: identifier rejected.',
  'Connection Refused: broker unavailable.',
  'Connection Refused: bad user name or password.',
  'Connection Refused: not authorised.',
]

/** What a return code of CONNACK before MQTT 5 means. */
export function refusalText(code: number): string {
  return refusals[code] ?? 'Connection Refused: unknown reason.'
}

/** What a reason code of MQTT 5 means. */
export function reasonText(code: number): string {
  const texts = ReasonCodes as Readonly<Record<number, string>>
  return texts[code] ?? `Unknown reason ${code}`
}
