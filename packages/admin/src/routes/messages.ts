import type { Message, RetainedPage } from '@x/contract'
import { parseTopicFilter } from '@x/topic-trie'
import { inspectionOf, openBroker } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { Problem } from '../problem.ts'
import { objectOf, pageOf, pageQuery, schemas } from '../route.ts'
import type { Call, Route } from '../route.ts'
import { messageSchema, shownMessage } from './shown.ts'

const publishSchema = {
  type: 'object',
  properties: {
    topic: schemas.topic,
    payload: { type: 'string', default: '', description: 'text, or base64 where `encoding` says so' },
    encoding: { type: 'string', enum: ['text', 'base64'], default: 'text' },
    qos: { ...schemas.qos, default: 0 },
    retain: { type: 'boolean', default: false },
  },
  required: ['topic'],
  additionalProperties: false,
}

/** Retained messages, and publishing. */
export function messageRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/retained',
      role: 'viewer',
      summary: 'Retained messages whose topics match a filter; `#` leaves out topics that begin with `$`',
      query: { ...pageQuery, filter: { ...schemas.topic, default: '#' } },
      response: pageOf(messageSchema),
      handle: ({ query }) => listRetained(host, query),
    },
    {
      method: 'GET',
      path: '/api/v1/retained/message',
      role: 'viewer',
      summary: 'The retained message of a topic, with all of its payload',
      query: { topic: schemas.topic },
      required: ['topic'],
      response: objectOf({ message: messageSchema, payload: { type: 'string', description: 'base64' } }),
      handle: async ({ query }) => {
        const message = await retainedOf(host, String(query['topic']))
        return { message: shownMessage(message), payload: message.payload.toString('base64') }
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/retained/message',
      role: 'operator',
      summary: 'Removes the retained message of a topic',
      query: { topic: schemas.topic },
      required: ['topic'],
      response: objectOf({ topic: schemas.text }),
      audit: ({ query }) => `removed the retained message of ${query['topic']}`,
      handle: async ({ query }) => {
        const { topic } = await retainedOf(host, String(query['topic']))
        await published(host, { topic, payload: '', retain: true })
        return { topic }
      },
    },
    {
      method: 'POST',
      path: '/api/v1/publish',
      role: 'operator',
      summary: 'Publishes a message; the response means that it is stored and on its way',
      body: publishSchema,
      response: objectOf({ topic: schemas.text, bytes: schemas.count }),
      audit: ({ body }) => `published on ${String(body['topic'])}`,
      handle: call => publish(host, call),
    },
  ]
}

async function publish(host: AdminHost, { body }: Call): Promise<object> {
  const { topic, payload, encoding, qos, retain } = body as {
    readonly topic: string
    readonly payload: string
    readonly encoding: 'text' | 'base64'
    readonly qos: 0 | 1 | 2
    readonly retain: boolean
  }
  const bytes = Buffer.from(payload, encoding === 'base64' ? 'base64' : 'utf8')
  await published(host, { topic, payload: bytes, qos, retain })
  return { topic, bytes: bytes.length }
}

async function published(
  host: AdminHost,
  packet: Parameters<ReturnType<typeof openBroker>['publish']>[0],
): Promise<void> {
  try {
    await openBroker(host).publish(packet)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('MESSAGE_INVALID', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function listRetained(host: AdminHost, query: Call['query']): Promise<object> {
  const filter = checkedFilter(String(query['filter']))
  return host.cursors.read({
    list: `retained ${filter}`,
    limit: Number(query['limit']),
    cursor: query['cursor'] as string | undefined,
    begin: () => inspectionOf(host).retained(filter),
    show: shownMessage,
  })
}

function checkedFilter(text: string): string {
  try {
    return parseTopicFilter(text)
  } catch (error) {
    throw new Problem('FILTER_INVALID', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

async function retainedOf(host: AdminHost, topic: string): Promise<Message> {
  if (/[+#]/.test(topic)) throw new Problem('FILTER_INVALID', `'${topic}' has a wildcard, it must be one topic`)
  let page: RetainedPage | undefined = await inspectionOf(host).retained(checkedFilter(topic))
  while (page !== undefined) {
    for (const message of page) if (message !== undefined) return message
    page = await page.more?.()
  }
  throw new Problem('RETAINED_UNKNOWN', `no message is retained of '${topic}'`)
}
