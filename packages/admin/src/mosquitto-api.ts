import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { MaybePromise, PluggableBroker, Plugin } from '@x/contract'
import { AdminError } from './admin-error.ts'
import { basicLogin } from './basic-login.ts'
import { shownApiAt, shownListenersOf, systemTreeOf } from './mosquitto-tree.ts'
import { listenAt, urlOf } from './place.ts'
import { Problem } from './problem.ts'
import { RequestLimits } from './request-limits.ts'
import { ServedFiles } from './served-files.ts'

/** Where Mosquitto's HTTP API is served. */
export interface MosquittoApiListener {
  /** Goes with each question of rights. */
  readonly name: string
  /** `'*'`: all addresses. */
  readonly hosts: readonly string[]
  /** 0: any free one. */
  readonly port: number
  /** Node's options of `https.createServer`: with them it is served with TLS. */
  readonly tls?: ServerOptions | undefined
  /** Whose files are sent for all other paths; none unless given. */
  readonly directory?: string | undefined
}

/** Somebody who asks. Nobody without `Authorization` has a name or a password. */
export interface MosquittoApiQuestion {
  readonly listener: string
  readonly username: string | undefined
  readonly password: Buffer | undefined
  /** The path of the URL, which must be allowed to be read as if it were a topic. */
  readonly topic: string
}

/** Options of `mosquittoApi`. */
export interface MosquittoApiOptions {
  readonly listeners: readonly MosquittoApiListener[]
  readonly mayAsk: (question: MosquittoApiQuestion) => MaybePromise<boolean>
  /** Whether clients without user name may come in by a listener of the broker, or by one of these. */
  readonly allowsAnonymous: (listener: string) => boolean
}

/** A plugin that serves what Mosquitto's `protocol http_api` does, once it is told to. */
export interface MosquittoApi extends Plugin {
  /** URLs where it is served. */
  readonly urls: readonly string[]
  /** Without effect where it is served already.
   * @throws AdminError `ADMIN_LISTEN_FAILED` */
  listen(): Promise<void>
}

const requestTimeout = 10_000
const maximumConnections = 256
/** In a second, and wrong passwords in a minute, of one address: as with `admin`. */
const limits = { maximumRequestRate: 100, maximumFailures: 10 }
const plain = { 'content-type': 'text/plain; charset=utf-8' }
const anywhere = { 'access-control-allow-origin': '*' }

/** Mosquitto's HTTP API: `/api/v1/version`, `/api/v1/systree`, `/api/v1/listeners`, and the files of a directory. Only looks.
 * @throws Error of Node where a directory is missing */
export function mosquittoApi(options: MosquittoApiOptions): MosquittoApi {
  return new ServedApi(options)
}

class ServedApi implements MosquittoApi {
  readonly name = 'mosquitto-api'
  readonly #options: MosquittoApiOptions
  readonly #limits = new RequestLimits(limits)
  readonly #files = new Map<MosquittoApiListener, ServedFiles>()
  /** By where they are served. */
  readonly #servers = new Map<string, { readonly server: Server; readonly name: string }>()
  #broker: PluggableBroker | undefined

  constructor(options: MosquittoApiOptions) {
    this.#options = options
    for (const listener of options.listeners) {
      if (listener.directory !== undefined) this.#files.set(listener, new ServedFiles(listener.directory))
    }
  }

  get urls(): readonly string[] {
    return [...this.#servers.keys()]
  }

  attach(broker: PluggableBroker): () => void {
    this.#broker = broker
    return () => {
      this.#broker = undefined
      this.#close()
    }
  }

  async listen(): Promise<void> {
    if (this.#servers.size > 0) return
    try {
      for (const listener of this.#options.listeners)
        for (const host of listener.hosts) await this.#listenAt(listener, host)
    } catch (error) {
      this.#close()
      throw error
    }
  }

  #close(): void {
    for (const { server } of this.#servers.values()) {
      server.close()
      server.closeAllConnections()
    }
    this.#servers.clear()
  }

  async #listenAt(listener: MosquittoApiListener, host: string): Promise<void> {
    const { port, tls } = listener
    const handle = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(listener, request, response)
    const timeouts = { requestTimeout, headersTimeout: requestTimeout }
    const server =
      tls === undefined ? createServer(timeouts, handle) : createSecureServer({ ...tls, ...timeouts }, handle)
    server.maxConnections = maximumConnections
    try {
      await listenAt(host, async address => opened(server, port, address))
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new AdminError('ADMIN_LISTEN_FAILED', `the HTTP API can't be served on ${host}:${port}: ${why}`, { cause })
    }
    const { port: taken } = server.address() as AddressInfo
    this.#servers.set(urlOf(host, taken, tls === undefined ? 'plain' : 'tls'), { server, name: listener.name })
  }

  async #serve(listener: MosquittoApiListener, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#answer(listener, request, response)
    } catch (error) {
      if (!response.headersSent && error instanceof Problem) response.writeHead(error.status, plain)
      else if (!response.headersSent) response.writeHead(500, plain)
      response.end()
      if (error instanceof Problem || request.destroyed) return
      const message = `a request of the HTTP API failed: ${error instanceof Error ? error.message : String(error)}`
      this.#broker?.reportError(new AdminError('ADMIN_REQUEST_FAILED', message, { cause: error }))
    }
  }

  async #answer(listener: MosquittoApiListener, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const address = request.socket.remoteAddress ?? ''
    this.#limits.check(address)
    if (request.method !== 'GET') {
      response.writeHead(405, { ...plain, allow: 'GET' }).end('Method not allowed')
      return
    }
    const path = pathOf(request.url)
    const { authorization } = request.headers
    const isAllowed =
      path !== undefined &&
      (await this.#options.mayAsk({ listener: listener.name, ...credentialsOf(authorization), topic: path }))
    if (!isAllowed) {
      if (authorization !== undefined) this.#limits.failed(address)
      response.writeHead(401, { ...plain, 'www-authenticate': 'Basic realm="Mosquitto API"' }).end('Not authorised')
      return
    }
    if (path.startsWith('/api/')) await this.#look(path, response)
    else await this.#send(listener, path, response)
  }

  async #look(path: string, response: ServerResponse): Promise<void> {
    const broker = this.#broker
    if (broker === undefined) response.writeHead(503, plain).end('Not ready')
    else if (path === '/api/v1/version') response.writeHead(200, { ...plain, ...anywhere }).end(broker.version)
    else if (path === '/api/v1/systree') json(response, await systemTreeOf(broker))
    else if (path === '/api/v1/listeners') json(response, { listeners: this.#listenersOf(broker) })
    else response.writeHead(404, plain).end('Not found')
  }

  #listenersOf(broker: PluggableBroker): object[] {
    const { allowsAnonymous } = this.#options
    return [
      ...shownListenersOf(broker).map(shown => Object.assign(shown, { allow_anonymous: allowsAnonymous(shown.name) })),
      ...Array.from(this.#servers, ([url, { name }]) => ({
        ...shownApiAt(url),
        mtls: false,
        allow_anonymous: allowsAnonymous(name),
      })),
    ]
  }

  async #send(listener: MosquittoApiListener, path: string, response: ServerResponse): Promise<void> {
    const file = await this.#files.get(listener)?.find(path)
    if (file === undefined) {
      response.writeHead(404, plain).end('Not found')
      return
    }
    response.writeHead(200, {
      'content-type': file.type,
      'content-length': file.size,
      'x-content-type-options': 'nosniff',
    })
    // A reader that leaves, or a file that is cut meanwhile, ends this response alone.
    await pipeline(file.handle.createReadStream({ end: Math.max(0, file.size - 1) }), response).catch(() => undefined)
  }
}

function json(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json', ...anywhere }).end(JSON.stringify(value))
}

async function opened(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Undefined: it can be no topic. */
function pathOf(url = '/'): string | undefined {
  try {
    const path = decodeURIComponent(url.split('?', 1)[0] ?? '')
    return path === '' || /[+#\0]/.test(path) ? undefined : path
  } catch {
    return undefined
  }
}

function credentialsOf(header: string | undefined): Pick<MosquittoApiQuestion, 'username' | 'password'> {
  const [, credentials] = /^basic (.*)$/i.exec(header ?? '') ?? []
  if (credentials === undefined) return { username: undefined, password: undefined }
  const { username, password } = basicLogin(credentials)
  return { username, password: Buffer.from(password) }
}
