import type { AedesPacket, AedesSubscription } from './aedes-packet.ts'
import { CompatError } from './compat-error.ts'
import type { StoreBroker, StoreClient } from './store-broker.ts'

/** A store of Aedes whose methods return promises, whatever its age. */
export interface OldPersistence {
  storeRetained(packet: AedesPacket): Promise<unknown>
  createRetainedStream(filter: string): AsyncIterable<AedesPacket>
  addSubscriptions(client: StoreClient, subscriptions: readonly AedesSubscription[]): Promise<unknown>
  removeSubscriptions(client: StoreClient, filters: readonly string[]): Promise<unknown>
  subscriptionsByClient(client: StoreClient): Promise<readonly AedesSubscription[] | null>
  subscriptionsByTopic(topic: string): Promise<readonly (AedesSubscription & { clientId: string })[]>
  cleanSubscriptions(client: StoreClient): Promise<unknown>
  /** New in aedes-persistence 11. */
  cleanIncoming?(client: StoreClient): Promise<unknown>
  outgoingEnqueue(subscription: { clientId: string }, packet: AedesPacket): Promise<unknown>
  outgoingEnqueueCombi(subscriptions: readonly { clientId: string }[], packet: AedesPacket): Promise<unknown>
  outgoingUpdate(client: StoreClient, packet: Partial<AedesPacket>): Promise<unknown>
  outgoingClearMessageId(client: StoreClient, packet: { messageId: number }): Promise<unknown>
  outgoingStream(client: StoreClient): AsyncIterable<AedesPacket>
  incomingStorePacket(client: StoreClient, packet: AedesPacket): Promise<unknown>
  incomingGetPacket(client: StoreClient, packet: { messageId: number }): Promise<unknown>
  incomingDelPacket(client: StoreClient, packet: { messageId: number }): Promise<unknown>
  putWill(client: StoreClient, packet: AedesPacket): Promise<unknown>
  delWill(client: StoreClient): Promise<AedesPacket | undefined>
  streamWill(brokers: Readonly<Record<string, unknown>>): AsyncIterable<AedesPacket & { clientId: string }>
  countOffline(): Promise<{ subsCount: number; clientsCount: number }>
}

/** Methods that answer, by a promise or a callback, with how many parameters before the callback. */
const answering = {
  storeRetained: 1,
  addSubscriptions: 2,
  removeSubscriptions: 2,
  subscriptionsByClient: 1,
  subscriptionsByTopic: 1,
  cleanSubscriptions: 1,
  outgoingEnqueue: 2,
  outgoingUpdate: 2,
  outgoingClearMessageId: 2,
  incomingStorePacket: 2,
  incomingGetPacket: 2,
  incomingDelPacket: 2,
  putWill: 2,
  delWill: 1,
  countOffline: 0,
} as const

/** Some old stores lack them, and Aedes did without. */
const optional = { cleanIncoming: 1, outgoingEnqueueCombi: 2 } as const

const streaming = ['createRetainedStream', 'outgoingStream', 'streamWill'] as const

type AnyMethod = (...values: unknown[]) => unknown

/** Names of the methods that a store of Aedes has and this object lacks. */
export function missingMethods(candidate: object): string[] {
  const has = (name: string): boolean => typeof Reflect.get(candidate, name) === 'function'
  return [...Object.keys(answering), ...streaming].filter(name => !has(name))
}

/** The store with promises, ready for use. `broker` is what it is told of its broker.
 * @throws CompatError `PERSISTENCE_NOT_USABLE` when it lacks methods */
export async function prepare(store: object, broker: StoreBroker): Promise<OldPersistence> {
  const missing = missingMethods(store)
  if (missing.length > 0) {
    throw new CompatError('PERSISTENCE_NOT_USABLE', `the store lacks ${missing.map(name => `${name}()`).join(', ')}`)
  }
  const answersPromises = typeof Reflect.get(store, 'setup') === 'function'
  if (answersPromises) await (Reflect.get(store, 'setup') as AnyMethod).call(store, broker)
  else await setUpByProperty(store, broker)
  const prepared: Record<string, AnyMethod> = {}
  for (const [name, parameters] of Object.entries({ ...answering, ...optional })) {
    const method: unknown = Reflect.get(store, name)
    if (typeof method !== 'function') continue
    // Looked up for each call: programs put functions of their own in their place.
    const call: AnyMethod = (...values) => (Reflect.get(store, name) as AnyMethod).apply(store, values)
    prepared[name] = answersPromises ? async (...values) => call(...values) : promised(call, parameters)
  }
  for (const name of streaming) {
    prepared[name] = (...values) => (Reflect.get(store, name) as AnyMethod).apply(store, values)
  }
  const cleanIncoming = prepared['cleanIncoming']
  // A program may take it away.
  if (cleanIncoming !== undefined) {
    prepared['cleanIncoming'] = async client =>
      typeof Reflect.get(store, 'cleanIncoming') === 'function' ? cleanIncoming(client) : undefined
  }
  prepared['outgoingEnqueueCombi'] ??= async (subscriptions, packet) => {
    for (const subscription of subscriptions as unknown[]) await prepared['outgoingEnqueue']?.(subscription, packet)
  }
  const count = prepared['countOffline'] as AnyMethod
  prepared['countOffline'] = async () => {
    const counted = await count()
    // Callbacks get two numbers, promises an object.
    return Array.isArray(counted) ? { subsCount: counted[0], clientsCount: counted[1] } : counted
  }
  return prepared as unknown as OldPersistence
}

interface OldStore {
  broker?: unknown
  ready?: unknown
  once?(event: string, listener: () => void): unknown
}

/** Before `setup` a store was told its broker by a property, and some said `ready` when they were. */
async function setUpByProperty(store: OldStore, broker: StoreBroker): Promise<void> {
  store.broker = broker
  while (store.ready === false && typeof store.once === 'function') {
    await new Promise<void>(resolve => {
      store.once?.('ready', resolve)
    })
  }
}

function promised(call: AnyMethod, parameters: number): AnyMethod {
  return async (...values) =>
    new Promise((resolve, reject) => {
      call(...values.slice(0, parameters), (error: Error | null | undefined, ...answers: unknown[]) => {
        if (error) reject(error)
        else resolve(answers.length > 1 && typeof answers[0] === 'number' ? answers : answers[0])
      })
    })
}
