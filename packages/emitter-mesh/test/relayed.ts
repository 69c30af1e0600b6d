import { expect, onTestFinished } from 'vitest'
import type { MeshEmitterOptions } from '../src/index.ts'
import { anyPort, opened } from './meshes.ts'
import type { MeshedBroker } from './meshed-broker.ts'
import { Relay } from './relay.ts'

/** Two brokers that reach each other by relays alone: one publishes, the other has a route of `a`. */
export interface Relayed {
  readonly one: MeshedBroker
  readonly other: MeshedBroker
  /** For the connection that `one` makes, and for that of `other`. */
  readonly relays: readonly Relay[]
}

export async function relayed(options: Partial<MeshEmitterOptions> = {}): Promise<Relayed> {
  const [toOther, toOne] = [new Relay(), new Relay()]
  onTestFinished(() => [toOther, toOne].forEach(relay => relay.close()))
  const [otherAddress, oneAddress] = [await toOther.open(), await toOne.open()]
  const other = await opened('other', { ...anyPort, ...options, advertise: otherAddress })
  await other.emitter.addRoute('a')
  toOther.target = portOf(other)
  const one = await opened('one', {
    ...anyPort,
    ...options,
    advertise: oneAddress,
    peers: otherAddress,
    openTimeout: 0,
  })
  toOne.target = portOf(one)
  await expect.poll(() => one.emitter.reaches('a') && other.emitter.brokers.length === 1).toBe(true)
  return { one, other, relays: [toOther, toOne] }
}

function portOf({ emitter }: MeshedBroker): number {
  return Number(emitter.address?.split(':').at(-1))
}
