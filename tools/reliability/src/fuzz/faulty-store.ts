import type { Message, OpenSessionRequest, Persistence } from '@x/contract'
import type { Behaviour } from './behaviour.ts'
import { probeId } from './case.ts'
import { storeMethods } from './places.ts'

interface FaultyStore {
  readonly inner: Persistence
  readonly behaviour: Behaviour
  /** Some turns later; undefined: it answers at once. */
  readonly later: ((task: () => void) => void) | undefined
  readonly seen: Seen
}

/** What may be left in the store. */
export interface Seen {
  readonly clientIds: Set<string>
  readonly retainedTopics: Set<string>
}

/** A store that fails, and answers late: always with the effect in the order of the calls, and without any when it refuses. */
export function faultyStore({ inner, behaviour, later, seen }: FaultyStore): Persistence {
  const methods = new Map<string | symbol, (...values: unknown[]) => unknown>()
  for (const name of storeMethods) {
    const method = (inner[name] as (...values: unknown[]) => unknown).bind(inner)
    const slowly = (values: unknown[]): unknown => {
      if (later === undefined || !behaviour.enabled) return method(...values)
      const answer = method(...values)
      return new Promise(resolve => later(() => resolve(answer)))
    }
    methods.set(name, (...values) => {
      if (name === 'openSession') seen.clientIds.add((values[0] as OpenSessionRequest).clientId)
      if (name === 'publish') noteRetained(seen, values[0] as Message)
      if (isProbes(values[0])) return slowly(values)
      return behaviour.act(`store.${name}`, { ok: () => slowly(values) })
    })
  }
  return new Proxy(inner, {
    get(target, name): unknown {
      const value: unknown = methods.get(name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' && !methods.has(name) ? (value as () => unknown).bind(target) : value
    },
  })
}

/** A handle, an opening, or a message of the innocent client. */
function isProbes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { clientId, publisher } = value as { clientId?: unknown; publisher?: unknown }
  return clientId === probeId || publisher === probeId
}

function noteRetained(seen: Seen, { topic, retain }: Message): void {
  if (retain) seen.retainedTopics.add(topic)
}
