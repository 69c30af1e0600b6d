/** What can be spoken on a port. */
export type Protocol = 'mqtt' | 'mqtts' | 'ws' | 'wss'

/** All values of {@link Protocol}. */
export const protocols: readonly Protocol[] = ['mqtt', 'mqtts', 'ws', 'wss']

/** Whether one of the wanted protocols is spoken. */
export function speaks(spoken: readonly Protocol[], ...wanted: readonly Protocol[]): boolean {
  return wanted.some(one => spoken.includes(one))
}

/** Whether any of the protocols is spoken within TLS. */
export function speaksTls(spoken: readonly Protocol[]): boolean {
  return speaks(spoken, 'mqtts', 'wss')
}

/** What the first byte of a connection shows it to speak. */
export type Layer = 'mqtt' | 'http' | 'tls'

const tlsHandshake = 0x16
/** The high four bits. MQTT 3.1 lets the others be anything, but all of them set to a QoS of 3 are TLS. */
const connect = 1

/** Undefined: none of them. Methods of HTTP are capital letters. */
export function layerOf(firstByte: number): Layer | undefined {
  if (firstByte === tlsHandshake) return 'tls'
  if (firstByte >> 4 === connect) return 'mqtt'
  return firstByte >= 0x41 && firstByte <= 0x5a ? 'http' : undefined
}

/** What the first byte may show where these protocols are spoken: of the connection itself, or within its TLS. */
export function layersOf(spoken: readonly Protocol[], place: 'plain' | 'secure'): readonly Layer[] {
  const isSecure = place === 'secure'
  const layers: Layer[] = []
  if (speaks(spoken, isSecure ? 'mqtts' : 'mqtt')) layers.push('mqtt')
  if (speaks(spoken, isSecure ? 'wss' : 'ws')) layers.push('http')
  if (!isSecure && speaks(spoken, 'mqtts', 'wss')) layers.push('tls')
  return layers
}

/** What somebody has sent, for people. */
export const layerNames: Readonly<Record<Layer, string>> = {
  mqtt: 'MQTT',
  http: 'an HTTP request',
  tls: 'a TLS handshake',
}
