import { expect, test } from 'vitest'
import { anyPort, directory, opened, secret } from './meshes.ts'
import type { MeshedBroker } from './meshed-broker.ts'

const knowEachOther = async (...brokers: MeshedBroker[]): Promise<void> => {
  for (const { brokerId, emitter } of brokers) {
    const others = brokers.map(broker => broker.brokerId).filter(id => id !== brokerId)
    await expect.poll(() => emitter.brokers.toSorted()).toEqual(others.toSorted())
  }
}

test('many that start at once in one directory all find each other', async () => {
  const shared = directory()
  const ids = ['one', 'two', 'three', 'four', 'five']
  const brokers = await Promise.all(ids.map(async id => opened(id, { directory: shared })))
  await knowEachOther(...brokers)
})

test('of a listed peer that is not there yet nobody complains, and it is found when it comes', async () => {
  const late = await opened('late', anyPort)
  const { address = '' } = late.emitter
  await late.emitter.close()
  const one = await opened('one', { ...anyPort, peers: [address] })
  const other = await opened('other', { listen: address, secret })
  await knowEachOther(one, other)
  expect(one.codes).toEqual([])
})

test('a listed peer that can’t be reached is reported once, after its lease', async () => {
  const gone = await opened('gone', anyPort)
  const { address = '' } = gone.emitter
  await gone.emitter.close()
  const one = await opened('one', { ...anyPort, peers: [address], lease: 100 })
  await expect.poll(() => one.codes).toEqual(['PEER_UNREACHABLE'])
  expect(one.sentences[0]).toContain(address)
})

test('a name stands for all its addresses, this broker’s own one among them', async () => {
  const one = await opened('one', anyPort)
  const port = Number(one.emitter.address?.split(':').at(-1))
  const two = await opened('two', { listen: `127.0.0.2:${port}`, secret, peers: `dns:localhost:${port}` })
  await knowEachOther(one, two)
})

test('one that names itself does not connect to itself', async () => {
  const probe = await opened('probe', anyPort)
  const { address = '' } = probe.emitter
  await probe.emitter.close()
  const one = await opened('one', { listen: address, secret, peers: [address] })
  const other = await opened('other', { ...anyPort, peers: [address] })
  await knowEachOther(one, other)
})
