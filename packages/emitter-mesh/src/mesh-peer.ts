import { brokerIdOf, deferred } from '@x/emitter-parts'
import { frameType, numberOf, writeJson, writeNumber } from './mesh-frame.ts'
import type { Frame } from './mesh-frame.ts'
import { IncomingLink } from './incoming-link.ts'
import type { IncomingHost } from './incoming-link.ts'
import type { MeshConnection } from './mesh-connection.ts'
import { invalid, MeshError } from './mesh-error.ts'
import type { Welcome } from './mesh-handshake.ts'
import { OutgoingLink } from './outgoing-link.ts'
import type { LinkHost } from './outgoing-link.ts'

/** Routes in one frame. */
const routesInFrame = 1000

/** What a peer needs, and whom it tells. */
export interface PeerHost
  extends Omit<LinkHost, 'peer'>, Omit<IncomingHost, 'instance' | 'heard' | 'asked' | 'answered' | 'joined'> {
  /** All routes of this broker. */
  routes(): readonly string[]
  joined(routes: readonly string[]): void
  /** The connection to the peer is cut. */
  cut(error: Error | undefined): void
}

/** Another broker: the link to it, and the link from it. */
export class MeshPeer {
  readonly instance: string
  /** Names the row of frames that are sent to it. */
  readonly stream: string
  readonly link: OutgoingLink
  readonly incoming: IncomingLink
  /** By `performance.now()`: when something came from it last. */
  heardAt: number = performance.now()
  readonly #host: PeerHost
  readonly #joined = deferred()
  #connection: MeshConnection | undefined
  #wasLinked = false
  /** All own routes are told, and confirmed. */
  #told: Promise<void>
  /** Waits for what it was asked at that time or later. */
  readonly #questions = new Map<number, () => void>()

  constructor(instance: string, stream: string, host: PeerHost) {
    this.instance = instance
    this.stream = stream
    this.#host = host
    this.link = new OutgoingLink({ ...host, peer: `broker ${brokerIdOf(instance)}` })
    this.incoming = new IncomingLink({
      ...host,
      instance,
      heard: () => this.#hear(),
      asked: ping => this.link.say(frameType.pong, ping),
      answered: askedAt => this.#answered(askedAt),
      joined: routes => {
        host.joined(routes)
        this.#joined.resolve()
      },
    })
    this.#told = this.#tellRoutes()
  }

  /** Settles when each knows the routes of the other, or it is gone. */
  async ready(): Promise<void> {
    await Promise.all([this.#joined.promise, this.#told])
  }

  /** A connection to it is made. Returns false when it has forgotten this broker: then all begins again. */
  connect(connection: MeshConnection, { isKnown, received }: Welcome): boolean {
    const isForgotten = this.#wasLinked && !isKnown
    if (isForgotten) {
      const message = `broker ${brokerIdOf(this.instance)} has taken this one for dead: it may not have what was on its way`
      this.link.restart(new MeshError('UNAVAILABLE', { message }))
      this.#told = this.#tellRoutes()
    }
    if (this.#wasLinked && isKnown) this.#host.counters.resumed += 1
    this.#wasLinked = true
    this.#connection = connection
    this.#hear()
    connection.handOver({
      frame: frame => this.#confirmed(frame),
      ended: error => {
        this.link.disconnect(connection)
        if (this.#connection !== connection) return
        this.#connection = undefined
        this.#host.cut(error)
      },
    })
    this.link.connect(connection, isKnown ? received : 0)
    this.ask(performance.now())
    return !isForgotten
  }

  /** Asks whether all is read. */
  ask(now: number): void {
    this.link.say(frameType.ping, writeNumber(now))
  }

  /** Settles when all that it had said until now is read, or it is gone. */
  async caughtUp(now: number): Promise<void> {
    const question = deferred()
    this.#questions.set(now, () => question.resolve())
    this.ask(now)
    await question.promise
  }

  /** Tells it which routes were added and removed; settles when it has applied them, or is gone. */
  async change(changes: readonly string[]): Promise<void> {
    await this.#tellChanges(changes)
  }

  /** This process was stopped: the peer is judged by what it does from now on. */
  excuse(now: number): void {
    this.heardAt = now
    this.link.excuse()
  }

  /** It is gone. What has come of it is delivered. */
  end(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.end()
    this.incoming.end()
    this.#forget()
  }

  /** This broker goes. */
  close(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.destroy()
    this.incoming.close()
    this.#forget()
  }

  #forget(): void {
    this.#joined.resolve()
    for (const answer of this.#questions.values()) answer()
    this.#questions.clear()
  }

  #hear(): void {
    this.heardAt = performance.now()
  }

  #confirmed(frame: Frame): void {
    this.#hear()
    if (frame.type !== frameType.confirm) throw invalid(`a frame of type ${frame.type} came in place of a confirmation`)
    this.link.confirmed(numberOf(frame))
  }

  #answered(askedAt: number): void {
    for (const [time, answer] of this.#questions) {
      if (time > askedAt) continue
      this.#questions.delete(time)
      answer()
    }
  }

  /** A new row of frames begins with all routes. */
  async #tellRoutes(): Promise<void> {
    const routes = this.#host.routes()
    const first = this.link.tell(frameType.join, writeJson(routes.slice(0, routesInFrame)))
    const rest = routes.slice(routesInFrame).map(route => `+${route}`)
    await Promise.all([first, this.#tellChanges(rest)])
  }

  async #tellChanges(changes: readonly string[]): Promise<void> {
    const told: Promise<void>[] = []
    for (let begun = 0; begun < changes.length; begun += routesInFrame) {
      told.push(this.link.tell(frameType.routes, writeJson(changes.slice(begun, begun + routesInFrame))))
    }
    await Promise.all(told)
  }
}
