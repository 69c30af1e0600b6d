import { CompatError, fromAedesPersistence, fromMqemitter } from '@x/aedes-compat'
import { BrokerError, ReasonCode } from '@x/broker-core'
import type { Emitter, Persistence } from '@x/contract'
import { MemoryPersistence } from '@x/persistence-memory'

/** What may be given as store: one of our own, or one that was written for Aedes (aedes-persistence-*). */
export type PersistenceOption = Persistence | object
/** What may be given as emitter: one of our own, or one of the mqemitter family. */
export type EmitterOption = Emitter | object

/** Store and emitter as the engine takes them.
 * @throws BrokerError `OPTION_INVALID`, naming what an object lacks to be one */
export function partsOf(
  persistence: PersistenceOption | undefined,
  mq: EmitterOption | undefined,
): { persistence: Persistence; emitter: Emitter | undefined } {
  const isOurs = mq === undefined || has(mq, 'addRoute')
  return {
    persistence: storeOf(persistence, isOurs ? undefined : mq),
    emitter: isOurs ? (mq as Emitter | undefined) : usable('mq', () => fromMqemitter(mq)),
  }
}

function storeOf(persistence: PersistenceOption | undefined, mqemitter: object | undefined): Persistence {
  if (persistence === undefined) return new MemoryPersistence()
  if (has(persistence, 'openSession')) return persistence as Persistence
  return usable('persistence', () =>
    fromAedesPersistence(persistence, mqemitter === undefined ? {} : { mq: mqemitter }),
  )
}

function has(part: object, method: string): boolean {
  return typeof part === 'object' && part !== null && typeof Reflect.get(part, method) === 'function'
}

function usable<Part>(option: string, make: () => Part): Part {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof CompatError) && !(error instanceof TypeError)) throw error
    throw new BrokerError('OPTION_INVALID', {
      message: `option ${option} is not usable: ${error.message}`,
      reasonCode: ReasonCode.implementationSpecificError,
      cause: error,
    })
  }
}
