import type { BridgeOptions } from '@x/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { RunningBridges } from '../src/command/running-bridges.ts'
import { createBroker } from '../src/index.ts'
import { openWay } from './ways-in.ts'

test('the session of a bridge that is gone ends, that of one that has changed stays', async () => {
  const remote = await openWay()
  const bridge = (name: string, filter: string, more: Partial<BridgeOptions> = {}): BridgeOptions => ({
    name,
    addresses: `mqtt://127.0.0.1:${remote.port}`,
    topics: [{ filter, qos: 1 }],
    ...more,
  })
  const bridges = new RunningBridges([
    bridge('kept', 'k'),
    bridge('changed', 'a'),
    bridge('gone', 'g'),
    bridge('moved', 'm'),
  ])
  const broker = createBroker({ plugins: [bridges] })
  onTestFinished(() => broker.close())
  await broker.ready
  await bridges.begin()
  const states = (): string[] => [...broker.bridges].map(({ name, state }) => `${name} ${state}`).toSorted()
  await expect.poll(states).toEqual(['changed connected', 'gone connected', 'kept connected', 'moved connected'])
  const sessions = async (): Promise<number> => {
    const { connectedClients, disconnectedSessions } = await broker.counts()
    return connectedClients + disconnectedSessions
  }
  expect(await sessions()).toBe(4)
  await bridges.replace([bridge('kept', 'k'), bridge('changed', 'b'), bridge('moved', 'm', { localClientId: 'other' })])
  await expect.poll(states).toEqual(['changed connected', 'kept connected', 'moved connected'])
  // What was published for it would wait for ever.
  await expect.poll(sessions).toBe(3)
})
