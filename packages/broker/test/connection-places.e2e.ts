import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { BrokerOptions, ListenOptions } from '../src/index.ts'
import { connackFrame, connectFrame, exchange, openSocket, openWay, readAll } from './ways-in.ts'

test.for<[string, ListenOptions, BrokerOptions]>([
  ['maximumConnections of the listener', { maximumConnections: 5 }, {}],
  ['maximumConnections of the broker', {}, { maximumConnections: 5 }],
  ['both, over one port for all', { maximumConnections: 5, protocols: ['mqtt', 'ws'] }, { maximumConnections: 5 }],
])('a place by %s is free for who connects right after others have gone', async ([, options, brokerOptions]) => {
  const { port, refusals } = await openWay(options, brokerOptions)
  const enter = async (id: string): Promise<Socket> => {
    const socket = openSocket({ port, host: '127.0.0.1' })
    socket.write(connectFrame(id))
    expect((await once(socket, 'data'))[0]).toEqual(connackFrame)
    return socket
  }
  const places = ['a', 'b', 'c', 'd', 'e']
  let sockets = await Promise.all(places.map(enter))
  for (const round of [1, 2, 3]) {
    for (const socket of sockets) socket.destroy()
    sockets = await Promise.all(places.map(place => enter(`${place}${round}`)))
  }
  expect(refusals).toEqual([])
})

test.for<[string, ListenOptions, BrokerOptions, 'reset' | 'end']>([
  ['of the listener', { maximumConnections: 1 }, {}, 'reset'],
  ['of the listener', { maximumConnections: 1 }, {}, 'end'],
  ['of a listener for all', { maximumConnections: 1, protocols: ['mqtt', 'ws'] }, {}, 'reset'],
  ['of the broker', {}, { maximumConnections: 1 }, 'reset'],
])('who leaves while it waits takes no place %s, by %s', async ([, options, brokerOptions, way]) => {
  const { port, listening } = await openWay(options, brokerOptions)
  const first = openSocket({ port, host: '127.0.0.1' })
  first.write(connectFrame('first'))
  expect((await once(first, 'data'))[0]).toEqual(connackFrame)
  const waiting = openSocket({ port, host: '127.0.0.1' })
  await once(waiting, 'connect')
  if (way === 'reset') waiting.resetAndDestroy()
  else waiting.end()
  first.destroy()
  await expect.poll(() => listening.connections).toBe(0)
  const next = openSocket({ port, host: '127.0.0.1' })
  next.write(connectFrame('next'))
  expect((await once(next, 'data'))[0]).toEqual(connackFrame)
})

test('no more than 256 connections wait for a place; all that get none are refused and counted', async () => {
  const { broker, port, refusals } = await openWay({ maximumConnections: 1 })
  await exchange(`mqtt://127.0.0.1:${port}`)
  const flood = Array.from({ length: 300 }, () => readAll(openSocket({ port, host: '127.0.0.1' })))
  expect(new Set(await Promise.all(flood))).toEqual(new Set(['']))
  expect(refusals.length).toBe(300)
  expect(broker.counters).toMatchObject({ connectionsRefused: 300, connectionsOpened: 1 })
})
