import { unlinkSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { addressText } from './mesh-address.ts'
import type { MeshAddress } from './mesh-address.ts'
import { MeshConnection } from './mesh-connection.ts'
import type { MeshCounters } from './mesh-counters.ts'
import { MeshError } from './mesh-error.ts'
import { makeNonce, readHello, readRefusal, writeGreeting, writeRefusal, writeWelcome } from './mesh-handshake.ts'
import type { HandshakeHost, Hello, Welcome } from './mesh-handshake.ts'
import type { MeshSettings } from './mesh-options.ts'
import { Opening } from './opening.ts'
import type { TurnEnd } from './turn-end.ts'

/** What the server of a mesh needs, and whom it tells. */
export interface ServerHost {
  readonly settings: MeshSettings
  readonly handshake: HandshakeHost
  readonly counters: MeshCounters
  readonly turn: TurnEnd
  /** A peer that knows the secret has called. What it throws the peer is told.
   * @param from the host that it is seen at; undefined: this machine */
  accept(hello: Hello, connection: MeshConnection, from: string | undefined): Welcome
  report(key: string, error: MeshError): void
}

/** Where peers call. */
export class MeshServer {
  readonly #host: ServerHost
  readonly #server: Server
  readonly #strangers = new Set<Socket>()

  constructor(host: ServerHost) {
    this.#host = host
    const { tls, handshakeTimeout, maximumPeers, maximumStrangers } = host.settings
    const serve = (socket: Socket): void => void this.#serve(socket)
    if (tls === undefined) this.#server = createServer(serve)
    else {
      const server = createTlsServer({ ...tls, handshakeTimeout, requestCert: true, rejectUnauthorized: true }, serve)
      server.on('tlsClientError', (cause, socket) => {
        const message = `${socket.remoteAddress ?? 'a peer'} is no broker of this mesh: ${cause.message}`
        this.#refused(socket.remoteAddress, new MeshError('PEER_INVALID', { message, cause }))
      })
      this.#server = server
    }
    // Each peer calls once; before its old connection is known to be cut, twice.
    this.#server.maxConnections = 2 * maximumPeers + maximumStrangers
  }

  /** Returns where it listens.
   * @throws MeshError `LISTEN_FAILED` */
  async listen(address: MeshAddress): Promise<MeshAddress> {
    try {
      await this.#listen(address)
    } catch (cause) {
      if (address.kind !== 'unix' || !isInUse(cause) || !(await isLeftBehind(address.path)))
        throw failed(address, cause)
      unlinkSync(address.path)
      await this.#listen(address).catch((error: unknown) => {
        throw failed(address, error)
      })
    }
    // Of what fails from now on the peers tell.
    this.#server.on('error', () => undefined)
    if (address.kind === 'unix') return address
    return { ...address, port: (this.#server.address() as AddressInfo).port }
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#strangers) socket.destroy()
  }

  async #listen(address: MeshAddress): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(
        address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
        () => {
          this.#server.off('error', reject)
          resolve()
        },
      )
    })
  }

  async #serve(socket: Socket): Promise<void> {
    const { counters, handshake, settings, turn } = this.#host
    if (this.#strangers.size >= settings.maximumStrangers) {
      counters.invalid += 1
      socket.destroy()
      return
    }
    this.#strangers.add(socket)
    const from = socket.remoteAddress
    const opening = new Opening()
    const connection = new MeshConnection(socket, turn, opening)
    const timer = setTimeout(() => connection.destroy(late(settings.handshakeTimeout)), settings.handshakeTimeout)
    try {
      const ownNonce = makeNonce()
      connection.send(writeGreeting(handshake, ownNonce))
      const frame = await opening.next()
      const refusal = readRefusal(frame)
      if (refusal !== undefined) throw refusal
      const { hello, nonce } = readHello(frame, handshake, ownNonce)
      const welcome = this.#host.accept(hello, connection, from)
      connection.send(writeWelcome(handshake, { ownNonce, nonce, caller: hello.instance }, welcome))
    } catch (error) {
      if (error instanceof MeshError && error.code !== 'PEER_UNREACHABLE') {
        connection.send(writeRefusal(error))
        const message = `a connection from ${from ?? 'this machine'} was refused: ${error.message}`
        this.#refused(from, new MeshError(error.code, { message, cause: error }))
      }
      connection.end()
    } finally {
      clearTimeout(timer)
      this.#strangers.delete(socket)
    }
  }

  #refused(from: string | undefined, error: MeshError): void {
    this.#host.counters.invalid += 1
    this.#host.report(`from ${from ?? ''}`, error)
  }
}

function late(milliseconds: number): MeshError {
  return new MeshError('PEER_INVALID', { message: `it has not said who it is for ${milliseconds} ms` })
}

function failed(address: MeshAddress, cause: unknown): MeshError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MeshError('LISTEN_FAILED', { message: `can't listen at ${addressText(address)}: ${reason}`, cause })
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

/** Whether nobody listens at a socket: its process was killed. */
async function isLeftBehind(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
