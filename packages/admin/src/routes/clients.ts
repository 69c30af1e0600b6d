import { askOthers, gather, missingText } from '../gathered.ts'
import type { PartRequest } from '../gathered.ts'
import { inspectionOf, openBroker } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { localClient, localClients, localGroups, localMembers, mostShown } from '../local-clients.ts'
import type { ClientQuestion } from '../local-clients.ts'
import { Problem } from '../problem.ts'
import { gatheredPageOf, missingWorkers, objectOf, pageQuery, schemas } from '../route.ts'
import type { Call, Route } from '../route.ts'
import { subscriptionSchema } from './shown.ts'

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
  worker: schemas.optionalNumber,
}

const searchSchema = { type: 'string', maxLength: 1000, description: 'what the client identifier must contain' }

/** Client: administrative action. MQTT 5.0 §3.14.2.1 */
const administrativeAction = 0x98

/** Clients that are connected, and shared groups. */
export function clientRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/clients',
      role: 'viewer',
      summary:
        'Clients that are connected, worker by worker, there in the order of their coming; a page may have fewer than its limit',
      query: { ...pageQuery, search: searchSchema },
      response: gatheredPageOf(objectOf(clientProperties)),
      handle: ({ query }) => listClients(host, query),
    },
    {
      method: 'GET',
      path: '/api/v1/clients/:clientId',
      role: 'viewer',
      summary: 'A client with its subscriptions, up to 1000',
      parameters: { clientId: schemas.clientId },
      response: objectOf({ ...clientProperties, filters: { type: 'array', items: subscriptionSchema } }),
      handle: call => clientOf(host, call),
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
      handle: call => kick(host, call),
    },
    {
      method: 'GET',
      path: '/api/v1/groups',
      role: 'viewer',
      summary: 'Shared subscriptions of connected clients, worker by worker',
      query: pageQuery,
      response: gatheredPageOf(
        objectOf({
          name: schemas.text,
          filter: schemas.text,
          members: schemas.count,
          worker: schemas.optionalNumber,
        }),
      ),
      handle: ({ query }) => listGroups(host, query),
    },
    {
      method: 'GET',
      path: '/api/v1/groups/members',
      role: 'viewer',
      summary: 'The members of a shared subscription, up to 1000',
      query: { name: schemas.topic },
      required: ['name'],
      response: objectOf({
        name: schemas.text,
        members: { type: 'array', items: schemas.text },
        missing: missingWorkers,
      }),
      handle: ({ query }) => membersOf(host, String(query['name'])),
    },
  ]
}

function listClients(host: AdminHost, query: Call['query']): Promise<object> {
  const search = (query['search'] as string | undefined) ?? ''
  return gather(host, {
    request: requestOf(query),
    own: request => localClients(host, search, request),
    question: request => ({ kind: 'clients', search, ...request }) satisfies ClientQuestion,
  })
}

function listGroups(host: AdminHost, query: Call['query']): Promise<object> {
  return gather(host, {
    request: requestOf(query),
    own: request => localGroups(host, request),
    question: request => ({ kind: 'groups', ...request }) satisfies ClientQuestion,
  })
}

function requestOf(query: Call['query']): PartRequest {
  return { limit: Number(query['limit']), cursor: query['cursor'] as string | undefined }
}

async function clientOf(host: AdminHost, { parameters: { clientId = '' } }: Call): Promise<object> {
  const own = localClient(host, clientId)
  if (own !== undefined) return Object.assign(own, { worker: openBroker(host).peers?.own ?? null })
  const { answers, missing } = await askOthers(host, { kind: 'client', clientId } satisfies ClientQuestion)
  for (const { client, worker } of answers as readonly { client: object | null; worker: number }[])
    if (client !== null) return Object.assign(client, { worker })
  throw unknownClient(clientId, missing)
}

async function kick(host: AdminHost, { parameters: { clientId = '' }, query }: Call): Promise<object> {
  const reasonCode = Number(query['reasonCode'])
  if (inspectionOf(host).kick(clientId, reasonCode)) return { clientId }
  const question = { kind: 'kick', clientId, reasonCode } satisfies ClientQuestion
  const { answers, missing } = await askOthers(host, question)
  if ((answers as readonly { isKicked: boolean }[]).some(({ isKicked }) => isKicked)) return { clientId }
  throw unknownClient(clientId, missing)
}

function unknownClient(clientId: string, missing: readonly number[]): Problem {
  return new Problem('CLIENT_UNKNOWN', `no client '${clientId}' is connected to this broker${missingText(missing)}`)
}

async function membersOf(host: AdminHost, name: string): Promise<object> {
  const { answers, missing } = await askOthers(host, { kind: 'members', group: name } satisfies ClientQuestion)
  const elsewhere = (answers as readonly { members: readonly string[] }[]).flatMap(({ members }) => members)
  const members = [...localMembers(host, name), ...elsewhere].slice(0, mostShown)
  if (members.length > 0) return { name, members, missing }
  throw new Problem('GROUP_UNKNOWN', `no client of this broker is a member of '${name}'${missingText(missing)}`)
}
