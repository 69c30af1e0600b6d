import type { QueueEntry } from '@x/contract'
import { expect, test } from 'vitest'
import { OwnedSession } from '../src/owned-session.ts'

function entry(sequence: number): QueueEntry {
  const message = {
    topic: 'a',
    payload: Buffer.alloc(0),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: undefined,
    brokerId: 'broker',
    brokerCounter: 1,
  } as const
  return { message, qos: 1, retain: false, subscriptionIdentifiers: undefined, sequence, released: false }
}

test('offers nothing that a read has brought, whenever its news come, and everything after it', () => {
  const offered: number[] = []
  const deliver = ({ sequence }: QueueEntry): boolean => offered.push(sequence) > 0
  const host = { refused: () => undefined, missing: () => undefined }
  const session = new OwnedSession('client', 'epoch', { deliver, fenced: () => undefined }, host)
  session.opened(5, false)
  const ended = session.readBegins()
  session.readEnds(7)
  session.offer(entry(6))
  session.offer(entry(8))
  ended(7)
  session.offer(entry(7))
  session.offer(entry(9))
  expect(offered).toEqual([8, 9])
})

test('tells how far its owner has come once no read is on its way', () => {
  const told: number[] = []
  const host = { refused: (_: OwnedSession, through: number) => void told.push(through), missing: () => undefined }
  const session = new OwnedSession('client', 'epoch', { deliver: () => false, fenced: () => undefined }, host)
  session.opened(5, false)
  session.readBegins()
  session.offer(entry(6))
  expect(told).toEqual([])
  session.readEnds(7)
  expect(told).toEqual([7])
})
