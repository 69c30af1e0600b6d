import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Server } from 'node:http'
import type { ServerOptions } from 'node:https'
import { fastify } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AdminHost } from './host.ts'
import type { KeyRing } from './key-ring.ts'
import { LiveFeed } from './live-feed.ts'
import { openApi } from './open-api.ts'
import { pageFiles, pageHeaders } from './page-files.ts'
import { PageSocket } from './page-socket.ts'
import { isAllowed } from './principal.ts'
import type { Principal, Role } from './principal.ts'
import { Problem, problemOf } from './problem.ts'
import type { RequestLimits } from './request-limits.ts'
import { objectOf, schemas, TextResponse } from './route.ts'
import type { Call, Route } from './route.ts'
import { brokerRoutes } from './routes/broker.ts'
import { clientRoutes } from './routes/clients.ts'
import { messageRoutes } from './routes/messages.ts'
import { mosquittoRoutes } from './routes/mosquitto.ts'
import { sessionRoutes } from './routes/sessions.ts'

/** What the server is made of. */
export interface HttpServerParts {
  readonly host: AdminHost
  readonly keys: KeyRing
  readonly limits: RequestLimits
  readonly tls: ServerOptions | undefined
  /** Whether the dashboard is served. */
  readonly dashboard: boolean
  readonly version: string
  /** Something was changed, or tried to. */
  readonly audit: (entry: AuditEntry) => void
  /** A request failed through no fault of its own. */
  readonly failed: (error: Error) => void
}

/** What is logged of a request that changes something. */
export interface AuditEntry {
  readonly by: Principal
  readonly address: string
  /** What was done. */
  readonly text: string
  /** Code of the problem; undefined: it was done. */
  readonly refused: string | undefined
}

const requestTimeout = 10_000
const maximumBodyBytes = 1_048_576
const maximumConnections = 256

/** The API and the dashboard on one server, which does not listen yet. */
export class HttpServer {
  readonly app: FastifyInstance
  readonly #parts: HttpServerParts
  readonly #feed: LiveFeed
  readonly #socket: PageSocket
  readonly #routes: readonly Route[]

  constructor(parts: HttpServerParts) {
    const { host, tls } = parts
    this.#parts = parts
    this.#feed = new LiveFeed(host)
    this.#socket = new PageSocket(host)
    this.#routes = [
      ...brokerRoutes(host),
      ...clientRoutes(host),
      ...sessionRoutes(host),
      ...messageRoutes(host),
      ...mosquittoRoutes(host),
      this.#ticketRoute(),
    ]
    this.app = fastify({
      bodyLimit: maximumBodyBytes,
      forceCloseConnections: true,
      routerOptions: { maxParamLength: 200_000 },
      ajv: { customOptions: { allErrors: false, removeAdditional: false, coerceTypes: 'array' } },
      frameworkErrors: (error, _request, reply) => {
        void sendProblem(reply, problemOf(error))
      },
      serverFactory: handler => this.#makeServer(tls, handler),
    })
    this.#refuse()
    for (const route of this.#routes) this.#add(route)
    this.#addOthers()
    if (parts.dashboard) this.#addPage()
  }

  async close(): Promise<void> {
    this.#feed.close()
    await this.app.close()
  }

  #makeServer(tls: ServerOptions | undefined, handler: Parameters<typeof createServer>[1]): Server {
    const timeouts = { requestTimeout, headersTimeout: requestTimeout }
    const server =
      tls === undefined ? createServer(timeouts, handler) : createSecureServer({ ...tls, ...timeouts }, handler)
    server.maxConnections = maximumConnections
    this.#socket.attach(server)
    return server
  }

  #refuse(): void {
    this.app.setErrorHandler((error, _request, reply) => {
      const problem = problemOf(error)
      if (problem.code === 'INTERNAL') this.#parts.failed(error as Error)
      return sendProblem(reply, problem)
    })
    this.app.setNotFoundHandler((request, reply) => {
      const [path = ''] = request.url.split('?', 1)
      const allowed = this.#routes.filter(route => isAt(route, path)).map(({ method }) => method)
      if (allowed.length === 0) return sendProblem(reply, new Problem('PATH_UNKNOWN', `there is nothing at ${path}`))
      void reply.header('allow', allowed.join(', '))
      return sendProblem(reply, new Problem('METHOD_NOT_ALLOWED', `${request.method} is not allowed at ${path}`))
    })
  }

  #add(route: Route): void {
    const { method, path, role, parameters, query, required = [], body, response } = route
    this.app.route({
      method,
      url: path,
      schema: {
        ...(parameters !== undefined && { params: objectOf(parameters) }),
        querystring: {
          type: 'object',
          properties: query ?? {},
          required,
          additionalProperties: false,
        },
        ...(body !== undefined && { body }),
        response: { 200: response },
      },
      onRequest: async request => this.#admit(request, role, route),
      handler: async (request, reply) => this.#handle(route, request, reply),
      onError: async (request, _reply, error) => this.#audit(route, request, problemOf(error).code),
    })
  }

  /** @throws Problem of the key, the role or the address */
  async #admit(request: FastifyRequest, role: Role, route?: Route): Promise<void> {
    const { keys, limits } = this.#parts
    limits.check(request.ip)
    const principal = await keys.principalOf(request.headers.authorization, request.ip).catch((error: unknown) => {
      if (error instanceof Problem && error.code === 'KEY_INVALID') limits.failed(request.ip)
      throw error
    })
    principals.set(request, principal)
    if (isAllowed(principal, role)) return
    const what = route === undefined ? 'this' : `${route.method} ${route.path}`
    throw new Problem('ROLE_INSUFFICIENT', `${what} needs the role ${role}, '${principal.name}' is ${principal.role}`)
  }

  async #handle(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const result = await route.handle(callOf(request))
    this.#audit(route, request, undefined)
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    if (!(result instanceof TextResponse)) return result
    void reply.type('text/plain; charset=utf-8').serializer((text: unknown) => text as string)
    return result.text
  }

  #audit({ audit }: Route, request: FastifyRequest, refused: string | undefined): void {
    const by = principals.get(request)
    if (audit === undefined || by === undefined) return
    this.#parts.audit({ by, address: request.ip, text: audit(callOf(request)), refused })
  }

  #ticketRoute(): Route {
    return {
      method: 'POST',
      path: '/api/v1/tickets',
      role: 'operator',
      summary: 'A ticket for one WebSocket at /mqtt?ticket=…, within 30 seconds: MQTT without a question of rights',
      response: objectOf({ ticket: schemas.text }),
      handle: () => ({ ticket: this.#socket.sellTicket() }),
    }
  }

  /** What does not return JSON. */
  #addOthers(): void {
    this.app.get('/api/v1/openapi.json', async () => openApi(this.#routes, this.#parts.version))
    this.app.get('/api/v1/events', {
      onRequest: async request => this.#admit(request, 'viewer'),
      handler: async (_request, reply) => {
        reply.hijack()
        try {
          this.#feed.open(reply.raw)
        } catch (error) {
          const problem = problemOf(error)
          reply.raw.writeHead(problem.status, { 'content-type': 'application/problem+json' })
          reply.raw.end(JSON.stringify(problem))
        }
      },
    })
  }

  #addPage(): void {
    for (const [path, { type, bytes }] of pageFiles()) {
      this.app.get(path, async (_request, reply) => reply.headers(pageHeaders).type(type).send(bytes))
    }
  }
}

/** Whether a route is served at a path. */
function isAt(route: Route, path: string): boolean {
  const [wanted, given] = [route.path.split('/'), path.split('/')]
  return (
    wanted.length === given.length &&
    wanted.every((level, index) => level === given[index] || (level.startsWith(':') && given[index] !== ''))
  )
}

const principals = new WeakMap<FastifyRequest, Principal>()

function callOf(request: FastifyRequest): Call {
  return {
    parameters: request.params as Call['parameters'],
    query: request.query as Call['query'],
    // A request that was refused before its body was read has none.
    body: (request.body ?? {}) as Call['body'],
    principal: principals.get(request) as Principal,
  }
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer, Basic realm="x-broker"')
  if (problem.status === 429) void reply.header('retry-after', problem.code === 'TOO_MANY_FAILURES' ? '60' : '1')
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .serializer((value: unknown) => JSON.stringify(value))
    .send(problem.toJSON())
}
