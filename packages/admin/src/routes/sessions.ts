import type { StoredSession } from '@x/contract'
import { inspectionOf, sessionsOf } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { Problem } from '../problem.ts'
import { objectOf, pageOf, pageQuery, schemas } from '../route.ts'
import type { Call, Route } from '../route.ts'
import { entrySchema, shownEntry, shownSubscription, subscriptionSchema } from './shown.ts'

const sessionProperties = {
  clientId: schemas.text,
  isOpen: schemas.flag,
  sessionExpiryInterval: schemas.count,
  expiresAt: schemas.optionalNumber,
  subscriptions: schemas.count,
  queuedMessages: schemas.count,
}

const search = { type: 'string', maxLength: 1000, description: 'what the client identifier must contain' }
const mostFilters = 1000

/** Sessions that outlive their connection, their subscriptions and their queues. */
export function sessionRoutes(host: AdminHost): readonly Route[] {
  const parameters = { clientId: schemas.clientId }
  return [
    {
      method: 'GET',
      path: '/api/v1/sessions',
      role: 'viewer',
      summary: 'Sessions that outlive their connection, of all brokers that share the store',
      query: { ...pageQuery, search },
      response: pageOf(objectOf(sessionProperties)),
      handle: ({ query }) => listSessions(host, query),
    },
    {
      method: 'GET',
      path: '/api/v1/sessions/:clientId',
      role: 'viewer',
      summary: 'A session with its subscriptions, up to 1000',
      parameters,
      response: objectOf({ ...sessionProperties, filters: { type: 'array', items: subscriptionSchema } }),
      handle: async call => {
        const session = await sessionOf(host, call)
        const all = await sessionsOf(host).subscriptions(session.clientId)
        return { ...shown(session), filters: all.slice(0, mostFilters).map(shownSubscription) }
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/sessions/:clientId',
      role: 'operator',
      summary: 'Ends a session, with its subscriptions and its queue, and closes its connection wherever that is',
      parameters,
      response: objectOf({ clientId: schemas.text }),
      audit: call => `ended the session of client ${call.parameters['clientId']}`,
      handle: async call => {
        const { clientId = '' } = call.parameters
        if (inspectionOf(host).client(clientId) === undefined) await sessionOf(host, call)
        await inspectionOf(host).endSession(clientId)
        return { clientId }
      },
    },
    {
      method: 'GET',
      path: '/api/v1/sessions/:clientId/queue',
      role: 'viewer',
      summary: 'What waits for a session, and what is in flight, in order; the cursor is the last sequence',
      parameters,
      query: {
        limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
        cursor: { type: 'integer', minimum: 0, default: 0 },
      },
      response: objectOf({ items: { type: 'array', items: entrySchema }, cursor: schemas.optionalNumber }),
      handle: call => queueOf(host, call),
    },
    {
      method: 'DELETE',
      path: '/api/v1/sessions/:clientId/queue',
      role: 'operator',
      summary: 'Drops what waits for a session; what its client may have been sent stays',
      parameters,
      response: objectOf({ clientId: schemas.text, dropped: schemas.count }),
      audit: call => `cleared the queue of client ${call.parameters['clientId']}`,
      handle: async call => {
        const { clientId } = await sessionOf(host, call)
        return { clientId, dropped: await inspectionOf(host).clearQueue(clientId) }
      },
    },
  ]
}

function listSessions(host: AdminHost, query: Call['query']): Promise<object> {
  const wanted = (query['search'] as string | undefined) ?? ''
  return host.cursors.read({
    list: `sessions ${wanted}`,
    limit: Number(query['limit']),
    cursor: query['cursor'] as string | undefined,
    begin: () => sessionsOf(host).list(),
    show: session => (session.clientId.includes(wanted) ? shown(session) : undefined),
  })
}

function shown({ expiresAt, ...rest }: StoredSession): object {
  return { ...rest, expiresAt: expiresAt ?? null }
}

async function sessionOf(host: AdminHost, { parameters: { clientId = '' } }: Call): Promise<StoredSession> {
  const session = await sessionsOf(host).find(clientId)
  if (session === undefined) throw new Problem('SESSION_UNKNOWN', `there is no session of client '${clientId}'`)
  return session
}

async function queueOf(host: AdminHost, call: Call): Promise<object> {
  const { clientId } = await sessionOf(host, call)
  const limit = Number(call.query['limit'])
  const entries = await sessionsOf(host).queue(clientId, Number(call.query['cursor']), limit)
  const last = entries.length < limit ? undefined : entries.at(-1)
  return { items: entries.map(shownEntry), cursor: last?.sequence ?? null }
}
