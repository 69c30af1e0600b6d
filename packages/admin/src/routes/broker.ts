import { openBroker } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { Problem } from '../problem.ts'
import { objectOf, schemas } from '../route.ts'
import type { Call, Route } from '../route.ts'
import { parseTopicFilter } from '@x/topic-trie'
import { explanations } from '../explanations.ts'

const listOfObjects = { type: 'array', items: { type: 'object', additionalProperties: true } }
const traceSchema = objectOf({
  id: schemas.text,
  clientId: schemas.optionalText,
  filter: schemas.optionalText,
  endsAt: schemas.number,
})
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** The broker as a whole: what it has counted, its parts, and what can be changed of it. */
export function brokerRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/broker',
      role: 'viewer',
      summary:
        'The broker with its counters, which only rise, and what there is now; with workers of all of them together',
      response: objectOf({
        id: schemas.text,
        version: schemas.text,
        uptimeSeconds: schemas.number,
        counters: schemas.numbers,
        counts: schemas.numbers,
        listeners: listOfObjects,
        bridges: listOfObjects,
        workers: listOfObjects,
      }),
      handle: () => shownBroker(host),
    },
    {
      method: 'GET',
      path: '/api/v1/errors',
      role: 'viewer',
      summary: 'What was refused or dropped since the broker began, by its code, and what to do about it',
      response: objectOf({
        items: {
          type: 'array',
          items: objectOf({ code: schemas.text, count: schemas.count, meaning: schemas.text, advice: schemas.text }),
        },
      }),
      handle: () => ({ items: explanations(openBroker(host).counters) }),
    },
    ...controlRoutes(host),
    ...traceRoutes(host),
  ]
}

function controlRoutes(host: AdminHost): readonly Route[] {
  const levelSchema = objectOf({ level: { type: 'string', enum: levels } })
  return [
    {
      method: 'POST',
      path: '/api/v1/reload',
      role: 'admin',
      summary: 'Reads the configuration again, as SIGHUP does',
      response: objectOf({ result: schemas.text }),
      audit: () => 'had the configuration read again',
      handle: () => reload(host),
    },
    {
      method: 'GET',
      path: '/api/v1/log/level',
      role: 'viewer',
      summary: 'From which level on lines are logged',
      response: levelSchema,
      handle: () => ({ level: supported(host.control.logLevel, 'the log level')() }),
    },
    {
      method: 'PUT',
      path: '/api/v1/log/level',
      role: 'admin',
      summary: 'Logs from another level on, until the next start or reload',
      body: levelSchema,
      response: levelSchema,
      audit: ({ body }) => `set the log level to ${String(body['level'])}`,
      handle: ({ body }) => {
        supported(host.control.setLogLevel, 'the log level')(String(body['level']))
        return { level: String(body['level']) }
      },
    },
    {
      method: 'GET',
      path: '/api/v1/log',
      role: 'viewer',
      summary: 'The last lines of the log',
      response: objectOf({ items: listOfObjects }),
      handle: () => ({ items: host.tail.lines }),
    },
  ]
}

function traceRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/traces',
      role: 'viewer',
      summary: 'Traces that run',
      response: objectOf({ items: { type: 'array', items: traceSchema } }),
      handle: () => ({ items: host.traces.all }),
    },
    {
      method: 'POST',
      path: '/api/v1/traces',
      role: 'operator',
      summary: 'Logs for some minutes what one client does, or the messages of topics: names and sizes, never payloads',
      body: {
        type: 'object',
        properties: {
          clientId: schemas.clientId,
          filter: schemas.topic,
          minutes: { type: 'integer', minimum: 1, maximum: 1440, default: 10 },
        },
        oneOf: [{ required: ['clientId'] }, { required: ['filter'] }],
        additionalProperties: false,
      },
      response: traceSchema,
      audit: ({ body }) => `traces ${String(body['clientId'] ?? body['filter'])} for ${String(body['minutes'])} min`,
      handle: ({ body }) => beginTrace(host, body),
    },
    {
      method: 'DELETE',
      path: '/api/v1/traces/:id',
      role: 'operator',
      summary: 'Ends a trace',
      parameters: { id: schemas.text },
      response: objectOf({ id: schemas.text }),
      audit: ({ parameters }) => `ended the trace ${parameters['id']}`,
      handle: ({ parameters: { id = '' } }) => {
        if (!host.traces.end(id)) throw new Problem('TRACE_UNKNOWN', `there is no trace '${id}'`)
        return { id }
      },
    },
  ]
}

function supported<Action>(action: Action | undefined, what: string): Action {
  if (action === undefined) throw new Problem('NOT_SUPPORTED', `this program does not let ${what} be changed`)
  return action
}

async function reload(host: AdminHost): Promise<object> {
  const action = supported(host.control.reload, 'its configuration')
  try {
    return { result: await action() }
  } catch (error) {
    throw new Problem('RELOAD_FAILED', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function beginTrace(host: AdminHost, { clientId, filter, minutes }: Call['body']): object {
  const broker = openBroker(host)
  if (typeof clientId === 'string') return host.traces.begin(broker, { clientId }, Number(minutes))
  try {
    parseTopicFilter(String(filter))
  } catch (error) {
    throw new Problem('FILTER_INVALID', error instanceof Error ? error.message : String(error), { cause: error })
  }
  return host.traces.begin(broker, { filter: String(filter) }, Number(minutes))
}

async function shownBroker(host: AdminHost): Promise<object> {
  const broker = openBroker(host)
  const { errors: _errors, ...counters } = broker.counters
  return {
    id: broker.id,
    version: broker.version,
    uptimeSeconds: host.uptime / 1000,
    counters,
    counts: await broker.counts(),
    listeners: broker.listenerStatus ?? broker.listenerConnections ?? [],
    bridges: Array.from(broker.bridges ?? [], ({ name, state, counters: counted }) => ({
      name,
      state,
      counters: counted,
    })),
    workers: broker.workers ?? [],
  }
}
