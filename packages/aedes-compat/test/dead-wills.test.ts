import { Slices } from '@x/contract'
import type { Due, Persistence } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import aedesMemory from 'aedes-persistence'
import mqemitter from 'mqemitter'
import { expect, test } from 'vitest'
import { fromAedesPersistence } from '../src/index.ts'

type Make = (options?: unknown) => object

/** A broker on the store, which says that it is there by a heartbeat a minute. */
async function open(store: object, mq: object | undefined, brokerId: string, clock: ManualClock): Promise<Persistence> {
  const persistence = fromAedesPersistence(store, mq === undefined ? {} : { mq })
  await persistence.open({
    brokerId,
    clock,
    slices: new Slices(),
    limits: { maximumQueuedMessages: 10, maximumQueuedBytes: 1000, overflow: 'dropOldest' },
    groupReady: () => undefined,
    dropped: () => undefined,
  })
  return persistence
}

async function connectMortal(persistence: Persistence, clientId: string): Promise<void> {
  const message = {
    topic: 'will',
    payload: Buffer.from('gone'),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: clientId,
    brokerId: 'b',
    brokerCounter: 1,
  } as const
  await persistence.openSession({
    clientId,
    cleanStart: true,
    sessionExpiryInterval: 0,
    will: { clientId, message, messageExpiryInterval: undefined, delayInterval: 0 },
    owner: { deliver: () => true, fenced: () => undefined },
  })
}

const clientsOf = (due: readonly Due[]): string[] =>
  due.flatMap(one => (one.kind === 'will' ? [one.will.clientId] : []))

test('a store of its own: what an earlier life has left comes at once, once, and not what lives', async () => {
  const store = (aedesMemory as unknown as Make)()
  const clock = new ManualClock()
  await connectMortal(await open(store, undefined, 'first life', clock), 'mortal')
  const second = await open(store, undefined, 'second life', clock)
  await connectMortal(second, 'living')
  expect(clientsOf(await second.claimDue(10))).toEqual(['mortal'])
  clock.advance(120_000)
  expect(await second.claimDue(10)).toEqual([])
})

test('a shared store: wills of brokers that are heard are theirs, until three heartbeats are missing', async () => {
  const store = (aedesMemory as unknown as Make)()
  const mq = (mqemitter as Make)()
  const clock = new ManualClock()
  const [here, there] = [await open(store, mq, 'here', clock), await open(store, mq, 'there', clock)]
  await connectMortal(there, 'client')
  const heartbeat = async (): Promise<void> =>
    new Promise(resolve => {
      const packet = { cmd: 'publish', topic: '$SYS/there/heartbeat', payload: 'there', qos: 0, brokerId: 'there' }
      ;(mq as { emit(packet: object, done: () => void): void }).emit(packet, resolve)
    })
  for (let minute = 0; minute < 6; minute++) {
    expect(await here.claimDue(10)).toEqual([])
    await heartbeat()
    clock.advance(60_000)
  }
  const found: string[] = []
  for (let minute = 0; minute < 4; minute++) {
    found.push(...clientsOf(await here.claimDue(10)))
    clock.advance(60_000)
  }
  expect(found).toEqual(['client'])
})

test('a will that the store can’t hand out loses none of those that it has handed out before', async () => {
  const store = (aedesMemory as unknown as Make)() as {
    delWill(client: { id: string }): Promise<unknown>
  }
  const clock = new ManualClock()
  const first = await open(store, undefined, 'first life', clock)
  for (const clientId of ['one', 'two', 'three']) await connectMortal(first, clientId)
  const delWill = store.delWill.bind(store)
  let isBroken = true
  store.delWill = async client => {
    if (client.id === 'two' && isBroken) throw new Error('store down')
    return delWill(client)
  }
  const second = await open(store, undefined, 'second life', clock)
  expect(clientsOf(await second.claimDue(10))).toEqual(['one'])
  await expect(second.claimDue(10)).rejects.toThrow('store down')
  isBroken = false
  clock.advance(60_000)
  expect(clientsOf(await second.claimDue(10)).toSorted()).toEqual(['three', 'two'])
})
