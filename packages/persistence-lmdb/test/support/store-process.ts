import { Slices } from '@x/contract'
import type { Clock, Message, OpenSessionRequest, Persistence, PersistenceHost, SessionOwner, Will } from '@x/contract'
import { LmdbPersistence } from '../../src/index.ts'
import type { Durability } from '../../src/index.ts'
import type { Call, Reply } from './remote-persistence.ts'

/** The process of a `RemotePersistence`: a store that is called by messages. */
let now = Date.now()
const clock: Clock = {
  now: () => now,
  monotonic: () => performance.now(),
  setTimeout: (task, milliseconds) => setTimeout(task, milliseconds).unref(),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout),
}
const reply = (message: Reply): void => void process.send?.(message)
const [, , directory = '', durability = ''] = process.argv
const chosen = durability === '' ? {} : { durability: durability as Durability }
const store: Persistence = new LmdbPersistence({ directory, ...chosen })
/** Wills that were returned, by their place, so that the same one is confirmed. */
const wills: Will[] = []

process.on('message', (call: Call) => {
  now = call.now
  void answer(call)
})
process.on('disconnect', () => process.exit())

async function answer({ id, method, values }: Call): Promise<void> {
  try {
    const value = await carryOut(method, values)
    reply({ id, value: numbered(value) })
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string }
    reply({ id, error: { name, message, code } })
  }
}

async function carryOut(method: string, values: readonly unknown[]): Promise<unknown> {
  if (method === 'open') return store.open(hostOf(values[0] as PersistenceHost))
  if (method === 'openSession') return store.openSession(requestOf(values[0] as OpenSessionRequest & { room: number }))
  if (method === 'confirmWill') return store.confirmWill?.(willAt(values[0] as number))
  if (method === 'publishWill') return store.publishWill?.(willAt(values[0] as number), values[1] as Message)
  if (method === 'retained') return [...(await store.retained(values[0] as string))]
  const called = store as unknown as Record<string, (...given: readonly unknown[]) => unknown>
  return called[method]?.(...values)
}

function hostOf({ brokerId, limits }: Pick<PersistenceHost, 'brokerId' | 'limits'>): PersistenceHost {
  return {
    brokerId,
    limits,
    clock,
    slices: new Slices(),
    groupReady: (group, publisher) => reply({ told: 'groupReady', values: [group, publisher] }),
    dropped: drop => reply({ told: 'dropped', values: [drop] }),
  }
}

function requestOf({ room, ...request }: OpenSessionRequest & { room: number }): OpenSessionRequest {
  const { clientId } = request
  let taken = 0
  const owner: SessionOwner = {
    deliver: entry => {
      taken += 1
      reply({ told: 'deliver', values: [clientId, entry] })
      return taken <= room
    },
    fenced: () => reply({ told: 'fenced', values: [clientId] }),
  }
  return { ...request, owner }
}

/** The same, with each will's place beside it. */
function numbered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(one => numbered(one))
  if (typeof value !== 'object' || value === null) return value
  if ('delayInterval' in value) return { ...value, place: wills.push(value as Will) - 1 }
  if ('will' in value) return { ...value, will: numbered(value.will) }
  if ('dueWill' in value) return { ...value, dueWill: numbered(value.dueWill) }
  return value
}

function willAt(place: number): Will {
  const will = wills[place]
  if (will === undefined) throw new Error(`no will was returned at place ${place}`)
  return will
}
