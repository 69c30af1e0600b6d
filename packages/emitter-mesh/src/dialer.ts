import { unlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { addressText } from './mesh-address.ts'
import type { MeshAddress } from './mesh-address.ts'
import { MeshConnection } from './mesh-connection.ts'
import { MeshError } from './mesh-error.ts'
import { makeNonce, readGreeting, readRefusal, readWelcome, writeHello, writeRefusal } from './mesh-handshake.ts'
import type { HandshakeHost, Hello, Welcome } from './mesh-handshake.ts'
import type { MeshSettings } from './mesh-options.ts'
import { Opening } from './opening.ts'
import type { TurnEnd } from './turn-end.ts'

/** What the dialer needs, and whom it tells. */
export interface DialerHost {
  readonly settings: MeshSettings
  readonly handshake: HandshakeHost
  readonly turn: TurnEnd
  /** What to say to this broker, which is greeted; undefined: no connection to it is needed. */
  greeted(instance: string): Pick<Hello, 'stream' | 'path' | 'host' | 'port'> | undefined
  /** There is a connection. Called in the turn in which the welcome has come. */
  linked(instance: string, connection: MeshConnection, welcome: Welcome): void
  /** A broker that was there is gone: nobody listens at its socket, or another one does. */
  deserted(instance: string): void
  report(place: string, error: MeshError): void
  /** That trouble is over. */
  over(place: string): void
}

/** An address that is called until somebody is there. */
interface Dial {
  readonly address: MeshAddress
  /** It stands in a list, a name or the directory; otherwise a peer has named it. */
  isListed: boolean
  /** `engaged`: nobody is needed there, until its peer is gone. */
  state: 'calling' | 'waiting' | 'engaged'
  instance: string | undefined
  failures: number
  failingSince: number
  timer: NodeJS.Timeout | undefined
  call: Promise<void>
}

/** ms until an address is called again: doubled each time, up to the last. */
const firstDelay = 20
const lastDelay = 2000
/** Sockets of this machine are refused once by one that has more to accept than fits. */
const desertedAfter = 2

/** Calls all addresses at which there may be peers. */
export class Dialer {
  readonly #host: DialerHost
  readonly #dials = new Map<string, Dial>()
  readonly #sockets = new Set<Socket>()
  #closed = false

  constructor(host: DialerHost) {
    this.#host = host
  }

  /** The listed addresses are these. */
  list(addresses: readonly MeshAddress[]): void {
    const listed = new Set(addresses.map(addressText))
    for (const dial of this.#dials.values()) dial.isListed = listed.has(addressText(dial.address))
    for (const [key, dial] of this.#dials) if (!dial.isListed && dial.instance === undefined) this.#drop(key, dial)
    for (const address of addresses) this.#want(address).isListed = true
  }

  /** A peer is reached there. */
  want(address: MeshAddress, instance: string): void {
    const dial = this.#want(address)
    dial.instance = instance
    if (dial.state === 'engaged') this.#call(dial)
  }

  /** The link to a peer is cut, or the peer is gone: where it was it is called, as long as it is expected there. */
  release(instance: string, expected: 'goesOn' | 'gone'): void {
    for (const [key, dial] of this.#dials) {
      if (dial.instance !== instance) continue
      if (expected === 'gone') dial.instance = undefined
      if (expected === 'gone' && !dial.isListed) this.#drop(key, dial)
      else if (dial.state === 'engaged') this.#call(dial)
    }
  }

  /** Settles when every address that is known now was called once. */
  async called(): Promise<void> {
    await Promise.all(Array.from(this.#dials.values(), ({ call }) => call))
  }

  close(): void {
    this.#closed = true
    for (const { timer } of this.#dials.values()) clearTimeout(timer)
    this.#dials.clear()
    for (const socket of this.#sockets) socket.destroy()
  }

  #want(address: MeshAddress): Dial {
    const key = addressText(address)
    let dial = this.#dials.get(key)
    if (dial === undefined) {
      const isListed = false
      const since = { failures: 0, failingSince: performance.now() }
      dial = {
        address,
        isListed,
        state: 'engaged',
        instance: undefined,
        ...since,
        timer: undefined,
        call: Promise.resolve(),
      }
      this.#dials.set(key, dial)
      this.#call(dial)
    }
    return dial
  }

  #drop(key: string, dial: Dial): void {
    clearTimeout(dial.timer)
    this.#dials.delete(key)
  }

  #call(dial: Dial): void {
    if (this.#closed) return
    dial.state = 'calling'
    dial.timer = undefined
    dial.call = this.#attempt(dial).then(
      () => {
        dial.state = 'engaged'
        dial.failures = 0
        this.#host.over(addressText(dial.address))
      },
      (error: unknown) => this.#failed(dial, error),
    )
  }

  async #attempt(dial: Dial): Promise<void> {
    const { handshake, settings, turn } = this.#host
    const { handshakeTimeout } = settings
    const socket = this.#connect(dial.address)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    const opening = new Opening()
    const connection = new MeshConnection(socket, turn, opening)
    const timer = setTimeout(() => connection.destroy(late(handshakeTimeout)), handshakeTimeout)
    try {
      const greeting = readGreeting(await opening.next(), handshake)
      if (dial.instance !== undefined && dial.instance !== greeting.instance) this.#host.deserted(dial.instance)
      dial.instance = greeting.instance
      const self = this.#host.greeted(greeting.instance)
      if (self === undefined) {
        connection.destroy()
        return
      }
      const nonce = makeNonce()
      connection.send(writeHello(handshake, greeting, { ...self, nonce }))
      const frame = await opening.next()
      const refusal = readRefusal(frame)
      if (refusal !== undefined) throw refusal
      const welcome = readWelcome(frame, handshake, { greeting, nonce })
      if (!connection.isOpen) throw new MeshError('PEER_UNREACHABLE', { message: 'it has closed the connection' })
      this.#host.linked(greeting.instance, connection, welcome)
    } catch (error) {
      if (error instanceof MeshError) connection.send(writeRefusal(error))
      connection.end()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #connect(address: MeshAddress): Socket {
    if (address.kind === 'unix') return createConnection(address.path)
    const { host, port } = address
    const { tls } = this.#host.settings
    if (tls === undefined) return createConnection({ host, port })
    // Whom the mesh's own authority has signed is a broker of it, at whatever address.
    return connectTls({ ...tls, host, port, checkServerIdentity: () => undefined })
  }

  #failed(dial: Dial, error: unknown): void {
    if (this.#closed || this.#dials.get(addressText(dial.address)) !== dial) return
    const now = performance.now()
    if (dial.failures === 0) dial.failingSince = now
    dial.failures += 1
    if (dial.address.kind === 'unix' && isNobody(error) && dial.failures >= desertedAfter)
      this.#desert(dial, dial.address.path, error)
    this.#report(dial, error, now)
    if (this.#dials.get(addressText(dial.address)) !== dial) return
    dial.state = 'waiting'
    const delay = Math.min(lastDelay, firstDelay * 2 ** Math.min(dial.failures - 1, 10))
    dial.timer = setTimeout(() => this.#call(dial), delay)
    dial.timer.unref()
  }

  /** Its process was killed. In the directory its socket is in the way. */
  #desert(dial: Dial, path: string, error: unknown): void {
    if (dial.instance !== undefined) this.#host.deserted(dial.instance)
    if (this.#host.settings.directory === undefined) return
    try {
      if (codeOf(error) === 'ECONNREFUSED') unlinkSync(path)
    } catch {
      // Another broker was faster.
    }
    this.#drop(addressText(dial.address), dial)
  }

  /** That a peer can't be reached is said when its time is over: it may only have to start. */
  #report({ address, failingSince }: Dial, cause: unknown, now: number): void {
    const where = addressText(address)
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `no connection to the peer at ${where}: ${reason}`
    const code = cause instanceof MeshError ? cause.code : 'PEER_UNREACHABLE'
    if (code === 'PEER_UNREACHABLE' && now - failingSince < this.#host.settings.lease) return
    this.#host.report(where, new MeshError(code, { message, cause }))
  }
}

function late(milliseconds: number): MeshError {
  return new MeshError('PEER_UNREACHABLE', { message: `it has not said who it is for ${milliseconds} ms` })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function isNobody(error: unknown): boolean {
  return codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT'
}
