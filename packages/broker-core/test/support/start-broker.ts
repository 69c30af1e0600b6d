import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Persistence } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { onTestFinished } from 'vitest'
import { Broker } from '../../src/index.ts'
import type { BrokerOptions, Client, ListenerRules } from '../../src/index.ts'
import { MemoryPersistence } from './memory-persistence.ts'
import { RawClient } from './raw-client.ts'
import type { ConnectFields } from './wire.ts'

/** A broker on a TCP port of its own, for one test. */
export interface TestBroker {
  readonly broker: Broker
  readonly port: number
  readonly persistence: Persistence
  /** What came with the event `error`. Anything left here when the test ends fails the test. */
  readonly errors: Error[]
  /** A connection without CONNECT, once the broker has it as well. */
  open(): Promise<RawClient>
  /** A connected client; MQTT 5 unless the fields say otherwise. */
  connect(fields?: ConnectFields): Promise<RawClient>
  /** Opens another port, with rules of its own. */
  listen(rules: Partial<ListenerRules>): Promise<Pick<TestBroker, 'connect' | 'open'>>
  /** Cuts the client's connection without DISCONNECT, and waits until the broker has taken notice. */
  drop(client: RawClient): Promise<void>
  /** Settles when the broker has let go of the connected client with this identifier. */
  gone(clientId: string): Promise<void>
}

export async function startBroker(options: Partial<BrokerOptions> = {}): Promise<TestBroker> {
  const persistence = options.persistence ?? new MemoryPersistence()
  const broker = new Broker({ ...options, persistence })
  const errors: Error[] = []
  broker.on('error', (error: Error) => errors.push(error))
  const sockets = new Set<Socket>()
  const servers: Server[] = []
  const openPort = async (handle: (socket: Socket) => void): Promise<number> => {
    const server = createServer({ noDelay: true }, socket => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      handle(socket)
    })
    servers.push(server)
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve)
    })
    return (server.address() as AddressInfo).port
  }
  const port = await openPort(socket => broker.handle(socket))
  await broker.ready
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await broker.close()
    for (const server of servers) {
      await new Promise(resolve => {
        server.close(resolve)
      })
    }
    if (errors.length > 0) throw new AggregateError(errors, `the broker reported: ${errors.join('; ')}`)
  })

  const gone = (clientId: string): Promise<void> =>
    new Promise(resolve => {
      const listener = (client: Client): void => {
        if (client.id !== clientId) return
        broker.off('clientDisconnect', listener)
        resolve()
      }
      broker.on('clientDisconnect', listener)
    })

  const clientsOf = (ofListener: number): Pick<TestBroker, 'connect' | 'open'> => ({
    open: async () => {
      const client = await RawClient.open(ofListener)
      const { localPort } = client.socket
      while (![...sockets].some(socket => socket.remotePort === localPort)) await new Promise(setImmediate)
      return client
    },
    connect: fields => RawClient.connect(ofListener, fields),
  })

  return {
    broker,
    port,
    persistence,
    errors,
    ...clientsOf(port),
    listen: async rules => {
      const profile = broker.listenerProfile({ name: 'another', ...rules })
      return clientsOf(await openPort(socket => broker.handle(socket, undefined, profile)))
    },
    gone,
    drop: async client => {
      const left = gone(client.clientId)
      client.socket.resetAndDestroy()
      await left
    },
  }
}

/** The same with a clock that the test moves. The broker looks at its deadlines each 250 ms of it. */
export interface TestBrokerWithClock extends TestBroker {
  readonly clock: ManualClock
  /** Moves the clock, and lets what falls due on the way run to its end: needed for delayed wills and expired sessions, which
   * the broker looks for each second. */
  pass(milliseconds: number): Promise<void>
}

export async function startBrokerWithClock(options: Partial<BrokerOptions> = {}): Promise<TestBrokerWithClock> {
  const clock = new ManualClock()
  const server = await startBroker({ ...options, clock })
  return {
    ...server,
    clock,
    pass: async milliseconds => {
      for (let left = milliseconds; left > 0; left -= 250) {
        clock.advance(Math.min(left, 250))
        await new Promise(setImmediate)
      }
    },
  }
}
