import type { Client } from '../hooks/client.ts'
import type { ClientConnection } from '../connect/client-connection.ts'

/** A read-only view of the connected clients by identifier, without prototype. It is always current, and costs nothing until it is read. */
export function clientsView(connections: ReadonlyMap<string, ClientConnection>): Readonly<Record<string, Client>> {
  const find = (name: string | symbol): Client | undefined => {
    const connection = typeof name === 'string' ? connections.get(name) : undefined
    return connection?.phase === 'connected' ? connection.client : undefined
  }
  return new Proxy(Object.create(null) as Record<string, Client>, {
    get: (_target, name) => find(name),
    has: (_target, name) => find(name) !== undefined,
    ownKeys: () => [...connections.keys()].filter(id => find(id) !== undefined),
    getOwnPropertyDescriptor: (_target, name) => {
      const value = find(name)
      return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: false }
    },
    set: () => false,
    deleteProperty: () => false,
    defineProperty: () => false,
  })
}
