import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import { PersistenceError, keepMessage, systemClock } from '@x/contract'
import type { Drop, Due, Message, OpenedSession, Persistence, PersistenceHost } from '@x/contract'
import { MemoryPersistence } from '@x/persistence-memory'

/** Everything in memory, and every call in a file before it takes effect: opening makes the calls again. */
export function journalPersistence(file: string): Persistence {
  let open: { memory: MemoryPersistence; host: PersistenceHost; due: Due[] } | undefined
  const own = {
    supports: { durable: true, shared: false, sharedSubscriptions: true },
    open(host: PersistenceHost) {
      if (open) throw new PersistenceError('ALREADY_OPEN', { message: `${file} is open` })
      open = restore(file, host)
    },
    close: () => void (open = undefined),
  }
  const call = (method: string, values: unknown[]): unknown => {
    if (!open) throw new PersistenceError('NOT_OPEN', { message: `${file} is not open` })
    if (method === 'claimDue' && open.due.length > 0) return open.due.splice(0, Number(values[0]))
    const entry = serialize({ at: open.host.clock.now(), method, values: storable(values) })
    if (method !== 'retained' && method !== 'counts') appendFileSync(file, `${entry.toString('base64')}\n`)
    return Reflect.apply(Reflect.get(open.memory, method), open.memory, values)
  }
  const find = (name: string) => [name, (...values: unknown[]) => call(name, values)]
  return { ...Object.fromEntries(Object.getOwnPropertyNames(MemoryPersistence.prototype).map(find)), ...own } as never
}

function restore(file: string, host: PersistenceHost) {
  let past: number | undefined // when the call that is made again was made
  const clock = { ...systemClock, now: () => past ?? host.clock.now() }
  const memory = new MemoryPersistence()
  const groupReady = (group: string, publisher?: string) => past ?? host.groupReady(group, publisher)
  const dropped = (drop: Drop) => past ?? host.dropped(drop)
  memory.open({ brokerId: host.brokerId, limits: host.limits, slices: host.slices, clock, groupReady, dropped })
  const orphans = new Map<string, [OpenedSession, number]>() // sessions whose broker has died
  for (const line of existsSync(file) ? readFileSync(file, 'latin1').split('\n').slice(0, -1) : []) {
    const { at, method, values } = deserialize(Buffer.from(line, 'base64'))
    past = at
    if (method === 'openSession') values[0].owner = { deliver: () => true, fenced: () => undefined }
    try {
      const answer = Reflect.apply(Reflect.get(memory, method), memory, values)
      if (method === 'openSession')
        orphans.set(values[0].clientId, [answer as OpenedSession, values[0].sessionExpiryInterval])
      if (method === 'closeSession') orphans.delete(values[0].clientId)
    } catch {} // refused then as now
  }
  const due = [...orphans.values()].flatMap(([{ handle }, sessionExpiryInterval]): Due[] => {
    const will = memory.closeSession(handle, { sessionExpiryInterval, will: 'publish', sentThrough: 0 })
    return will ? [{ kind: 'will', will }] : []
  })
  past = undefined
  return { memory, host, due }
}

function storable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(storable)
  if ('payload' in value) return keepMessage(value as Message)
  const fields = Object.entries(value).filter(([key]) => key !== 'owner')
  return Object.fromEntries(fields.map(([key, field]) => [key, storable(field)]))
}
