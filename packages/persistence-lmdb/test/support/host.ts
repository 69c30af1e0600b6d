import { Slices, systemClock } from '@x/contract'
import type { Drop, Message, PersistenceHost, SessionOwner, StoreLimits } from '@x/contract'

const roomy: StoreLimits = {
  maximumQueuedMessages: 1_000_000,
  maximumQueuedBytes: 1_000_000_000,
  overflow: 'dropOldest',
}

/** A broker as the store sees it. */
export function hostOf(limits: Partial<StoreLimits> = {}, drops: Drop[] = []): PersistenceHost {
  return {
    brokerId: 'broker',
    clock: systemClock,
    slices: new Slices(),
    limits: { ...roomy, ...limits },
    groupReady: () => {},
    dropped: drop => drops.push(drop),
  }
}

/** It never has room. */
export const busyOwner: SessionOwner = { deliver: () => false, fenced: () => {} }

export const lampSession = {
  clientId: 'lamp',
  cleanStart: false,
  sessionExpiryInterval: 3600,
  will: undefined,
  owner: busyOwner,
} as const

export function subscriptionTo(filter: string) {
  return {
    filter,
    qos: 2,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: undefined,
  } as const
}

export function messageOf(text: string, fields: Partial<Message> = {}): Message {
  return {
    topic: 'light/hall',
    payload: Buffer.from(text),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: 'switch',
    brokerId: 'broker',
    brokerCounter: 0,
    ...fields,
  }
}

export const leaving = { sessionExpiryInterval: 3600, will: 'discard', sentThrough: 0 } as const
