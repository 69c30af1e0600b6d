import type { Client } from '../hooks/client.ts'
import type { ClientConnection } from '../connect/client-connection.ts'

/** The connected clients as an object without prototype, by client identifier: always current, and costs nothing until somebody
 * looks. It can't be written to. */
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
