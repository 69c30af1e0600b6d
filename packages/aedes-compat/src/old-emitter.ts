import type { AedesPacket } from './aedes-packet.ts'

/** A listener of an mqemitter, which calls `done` when it has taken the packet. */
export type MqListener = (packet: AedesPacket, done: () => void) => void
type Done = (error?: Error | null) => void

/** The interface of mqemitter, and of everything that stands in for it. */
export interface Mqemitter {
  on(topic: string, listener: MqListener, done?: Done): unknown
  removeListener(topic: string, listener: MqListener, done?: Done): unknown
  emit(packet: AedesPacket, done?: Done): unknown
  close(done?: Done): unknown
}

const methods = ['on', 'removeListener', 'emit', 'close'] as const

/** The methods of an mqemitter that the object lacks. */
export function missingEmitterMethods(candidate: object): string[] {
  return methods.filter(name => typeof Reflect.get(candidate, name) !== 'function')
}
