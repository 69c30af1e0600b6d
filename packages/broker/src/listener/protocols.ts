/** What can be spoken on a port. */
export type Protocol = 'mqtt' | 'mqtts' | 'ws' | 'wss'

export const protocols: readonly Protocol[] = ['mqtt', 'mqtts', 'ws', 'wss']

export function speaksTls(spoken: readonly Protocol[]): boolean {
  return spoken.includes('mqtts') || spoken.includes('wss')
}

/** What the first byte of a connection shows it to speak. */
export type Layer = 'mqtt' | 'http' | 'tls'

const tlsHandshake = 0x16
/** CONNECT, whose flags are zero. */
const connect = 0x10

/** Undefined: none of them. Methods of HTTP are capital letters. */
export function layerOf(firstByte: number): Layer | undefined {
  if (firstByte === connect) return 'mqtt'
  if (firstByte === tlsHandshake) return 'tls'
  return firstByte >= 0x41 && firstByte <= 0x5a ? 'http' : undefined
}
