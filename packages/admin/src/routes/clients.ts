import type { InspectedClient } from '@x/contract'
import { inspectionOf, openBroker } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { Problem } from '../problem.ts'
import { objectOf, pageOf, pageQuery, schemas } from '../route.ts'
import type { Call, Route } from '../route.ts'
import { shownSubscription, subscriptionSchema } from './shown.ts'

const clientProperties = {
  clientId: schemas.text,
  username: schemas.optionalText,
  address: schemas.optionalText,
  port: schemas.optionalNumber,
  listener: schemas.optionalText,
  version: schemas.count,
  clean: schemas.flag,
  keepAlive: schemas.count,
  sessionExpiryInterval: schemas.count,
  trusted: schemas.flag,
  subscriptions: schemas.count,
  inflight: schemas.count,
  outgoingBytes: schemas.count,
}

const search = { type: 'string', maxLength: 1000, description: 'what the client identifier must contain' }

/** Client: administrative action. MQTT 5.0 §3.14.2.1 */
const administrativeAction = 0x98

/** Clients that are connected, and shared groups. */
export function clientRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/clients',
      role: 'viewer',
      summary: 'Clients that are connected to this process, in the order of their coming',
      query: { ...pageQuery, search },
      response: pageOf(objectOf(clientProperties)),
      handle: ({ query }) => listClients(host, query),
    },
    {
      method: 'GET',
      path: '/api/v1/clients/:clientId',
      role: 'viewer',
      summary: 'A client with its subscriptions, up to 1000',
      parameters: { clientId: schemas.clientId },
      response: objectOf({ ...clientProperties, filters: { type: 'array', items: subscriptionSchema } }),
      handle: call => ({ ...shown(clientOf(host, call)), filters: filtersOf(host, call) }),
    },
    {
      method: 'DELETE',
      path: '/api/v1/clients/:clientId',
      role: 'operator',
      summary: 'Closes the connection of a client; its session stays',
      parameters: { clientId: schemas.clientId },
      query: { reasonCode: { type: 'integer', minimum: 128, maximum: 162, default: administrativeAction } },
      response: objectOf({ clientId: schemas.text }),
      audit: ({ parameters }) => `closed the connection of client ${parameters['clientId']}`,
      handle: call => {
        const { clientId } = clientOf(host, call)
        inspectionOf(host).kick(clientId, Number(call.query['reasonCode']))
        return { clientId }
      },
    },
    {
      method: 'GET',
      path: '/api/v1/groups',
      role: 'viewer',
      summary: 'Shared subscriptions of clients that are connected to this process',
      query: pageQuery,
      response: pageOf(objectOf({ name: schemas.text, filter: schemas.text, members: schemas.count })),
      handle: ({ query }) =>
        host.cursors.read({
          list: 'groups',
          limit: Number(query['limit']),
          cursor: query['cursor'] as string | undefined,
          begin: () => inspectionOf(host).groups(),
          show: group => group,
        }),
    },
    {
      method: 'GET',
      path: '/api/v1/groups/members',
      role: 'viewer',
      summary: 'The members of a shared subscription, up to 1000',
      query: { name: schemas.topic },
      required: ['name'],
      response: objectOf({ name: schemas.text, members: { type: 'array', items: schemas.text } }),
      handle: ({ query }) => membersOf(host, String(query['name'])),
    },
  ]
}

function listClients(host: AdminHost, query: Call['query']): Promise<object> {
  const wanted = (query['search'] as string | undefined) ?? ''
  return host.cursors.read({
    list: `clients ${wanted}`,
    limit: Number(query['limit']),
    cursor: query['cursor'] as string | undefined,
    begin: () => inspectionOf(host).clients(),
    show: client => (client.clientId.includes(wanted) ? shown(client) : undefined),
  })
}

function shown({ username, address, port, listener, ...rest }: InspectedClient): object {
  const optional = { username, address, port, listener }
  return { ...rest, ...Object.fromEntries(Object.entries(optional).map(([name, value]) => [name, value ?? null])) }
}

const mostShown = 1000

function clientOf(host: AdminHost, { parameters: { clientId = '' } }: Call): InspectedClient {
  const client = inspectionOf(host).client(clientId)
  if (client !== undefined) return client
  const workers = openBroker(host).workers?.length ?? 1
  const where = workers > 1 ? `, but another of the ${workers} workers may have it` : ''
  throw new Problem('CLIENT_UNKNOWN', `no client '${clientId}' is connected to this process${where}`)
}

function filtersOf(host: AdminHost, { parameters: { clientId = '' } }: Call): object[] {
  return firstOf(inspectionOf(host).subscriptions(clientId)).map(shownSubscription)
}

function membersOf(host: AdminHost, name: string): object {
  const members = firstOf(inspectionOf(host).members(name))
  if (members.length === 0) throw new Problem('GROUP_UNKNOWN', `no client here is a member of '${name}'`)
  return { name, members }
}

function firstOf<Item>(items: Iterable<Item>): Item[] {
  const first: Item[] = []
  for (const item of items) {
    if (first.length >= mostShown) break
    first.push(item)
  }
  return first
}
