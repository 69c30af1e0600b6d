import type { InspectedClient, LazyPage } from '@x/contract'
import type { ListPage } from './cursors.ts'
import { answerTo } from './gathered.ts'
import type { PartRequest } from './gathered.ts'
import { inspectionOf } from './host.ts'
import type { AdminHost } from './host.ts'
import { shownSubscription } from './routes/shown.ts'

/** Subscriptions, or members, that are shown. */
export const mostShown = 1000

/** What one process of the broker asks another one about the clients of that. */
export type ClientQuestion =
  | ({ readonly kind: 'clients'; readonly search: string } & PartRequest)
  | ({ readonly kind: 'groups' } & PartRequest)
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'kick'; readonly clientId: string; readonly reasonCode: number }
  | { readonly kind: 'members'; readonly group: string }

/** Answers another process of the broker. */
export async function answerAboutClients(host: AdminHost, question: object): Promise<object> {
  const asked = question as ClientQuestion
  return answerTo(() => {
    switch (asked.kind) {
      case 'clients':
        return localClients(host, asked.search, asked)
      case 'groups':
        return localGroups(host, asked)
      case 'client':
        return { client: localClient(host, asked.clientId) ?? null }
      case 'kick':
        return { isKicked: inspectionOf(host).kick(asked.clientId, asked.reasonCode) }
      default:
        return { members: localMembers(host, asked.group) }
    }
  })
}

/** Clients that are connected to this process. */
export async function localClients(host: AdminHost, search: string, request: PartRequest): Promise<ListPage<object>> {
  return host.cursors.read({
    list: `clients ${search}`,
    ...request,
    begin: (): LazyPage<InspectedClient> => inspectionOf(host).clients(),
    show: client => (client.clientId.includes(search) ? shown(client) : undefined),
  })
}

/** Shared subscriptions of clients that are connected to this process. */
export async function localGroups(host: AdminHost, request: PartRequest): Promise<ListPage<object>> {
  return host.cursors.read({
    list: 'groups',
    ...request,
    begin: () => inspectionOf(host).groups(),
    show: group => ({ ...group, worker: null }),
  })
}

/** A client of this process, with its subscriptions; undefined: it is not connected here. */
export function localClient(host: AdminHost, clientId: string): object | undefined {
  const client = inspectionOf(host).client(clientId)
  if (client === undefined) return undefined
  const filters = firstOf(inspectionOf(host).subscriptions(clientId)).map(shownSubscription)
  return { ...shown(client), filters }
}

/** Members of a shared subscription that are connected to this process. */
export function localMembers(host: AdminHost, group: string): readonly string[] {
  return firstOf(inspectionOf(host).members(group))
}

function shown({ username, address, port, listener, ...rest }: InspectedClient): object {
  const optional = { username, address, port, listener }
  const all = Object.fromEntries(Object.entries(optional).map(([name, value]) => [name, value ?? null]))
  return { ...rest, ...all, worker: null }
}

function firstOf<Item>(items: Iterable<Item>): Item[] {
  const first: Item[] = []
  for (const item of items) {
    if (first.length >= mostShown) break
    first.push(item)
  }
  return first
}
