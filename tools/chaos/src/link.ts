import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Direction } from './direction.ts'
import type { Point } from './points.ts'

/** One direction of one connection. */
class Lane {
  readonly #from: Socket
  readonly #to: Socket
  readonly #link: Link
  readonly #direction: Direction
  /** Equal for all chunks, which keeps their order. */
  readonly #delay: number
  readonly #looks: readonly { readonly point: Point; readonly look: (chunk: Buffer) => number }[]
  /** Nothing passes any more, whatever becomes of the link. */
  #held = false

  constructor(link: Link, direction: Direction, from: Socket, to: Socket) {
    this.#link = link
    this.#direction = direction
    this.#from = from
    this.#to = to
    this.#delay = link.delay
    this.#looks = link.points
      .filter(({ watches }) => watches === direction)
      .map(point => ({ point, look: point.watch() }))
  }

  /** @param hold keeps everything back in that direction from now on */
  begin(hold: (direction: Direction) => void): void {
    this.#from.on('data', chunk => {
      const place = this.#look(chunk, hold)
      if (place > 0) this.#soon(() => this.#write(chunk.subarray(0, place)))
    })
    this.#from.on('end', () => this.#soon(() => this.#to.end()))
    this.#to.on('drain', () => this.adjust())
    this.adjust()
  }

  hold(): void {
    this.#held = true
  }

  /** Goes on, or stops, as the link wants it. */
  adjust(): void {
    if (this.#link.isStalled(this.#direction)) this.#from.pause()
    else if (!this.#to.writableNeedDrain) this.#from.resume()
  }

  /** How many bytes may pass. */
  #look(chunk: Buffer, hold: (direction: Direction) => void): number {
    let passing = this.#held ? 0 : chunk.length
    for (const { point, look } of this.#looks) {
      const place = look(chunk)
      if (place < 0 || this.#held || !this.#link.takePoint(point)) continue
      if (point.holds === this.#direction) passing = Math.min(passing, place)
      hold(point.holds)
    }
    return passing
  }

  #write(chunk: Buffer): void {
    if (this.#to.writable && !this.#to.write(chunk)) this.#from.pause()
  }

  #soon(action: () => void): void {
    if (this.#delay === 0) action()
    else setTimeout(action, this.#delay)
  }
}

/** A TCP proxy: a link that can be cut, stalled one way or both ways, or slow. TCP loses nothing within a connection, so a one-way cut
 * is a direction in which nothing passes until it is healed or the connection ends. */
export class Link {
  /** Where connections lead; 0: nowhere, they are refused. */
  target = 0
  /** Milliseconds each chunk of new connections takes. */
  delay = 0
  readonly #server: Server
  /** Where something may be held back, once it is armed. */
  readonly points: readonly Point[]
  readonly #pairs = new Map<Socket, { readonly up: Lane; readonly down: Lane; readonly to: Socket }>()
  readonly #stalled = new Set<Direction>()
  #armed: { readonly point: Point; reached(): void } | undefined
  #isCut = false

  constructor(points: readonly Point[] = []) {
    this.points = points
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, socket => this.#accept(socket))
  }

  async listen(): Promise<number> {
    await new Promise<void>(resolve => void this.#server.listen(0, '127.0.0.1', resolve))
    return this.port
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends all connections and takes no new ones. */
  cut(): void {
    this.#isCut = true
    this.end()
  }

  stall(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#stalled.add(direction)
    this.#adjust()
  }

  /** Neither cut, nor stalled, nor slow; what was stalled passes. */
  heal(): void {
    this.#isCut = false
    this.delay = 0
    this.#stalled.clear()
    this.#adjust()
  }

  /** Ends all connections, without a word (RST). */
  end(): void {
    for (const [socket, { to }] of this.#pairs) {
      socket.resetAndDestroy()
      to.resetAndDestroy()
    }
  }

  /** The next time that the point comes by, something is held back there, and `reached` is called. One at a time. */
  arm(point: Point, reached: () => void): void {
    this.#armed = { point, reached }
  }

  disarm(): void {
    this.#armed = undefined
  }

  /** Whether it was armed; it no longer is. */
  takePoint(point: Point): boolean {
    const armed = this.#armed
    if (armed?.point !== point) return false
    this.#armed = undefined
    setImmediate(() => armed.reached())
    return true
  }

  isStalled(direction: Direction): boolean {
    return this.#stalled.has(direction)
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  #accept(socket: Socket): void {
    if (this.#isCut || this.target === 0) {
      socket.resetAndDestroy()
      return
    }
    const to = connect({ port: this.target, host: '127.0.0.1', noDelay: true })
    const lanes = { up: new Lane(this, 'up', socket, to), down: new Lane(this, 'down', to, socket) }
    this.#pairs.set(socket, { to, ...lanes })
    lanes.up.begin(direction => lanes[direction].hold())
    lanes.down.begin(direction => lanes[direction].hold())
    for (const [one, other] of [
      [socket, to],
      [to, socket],
    ] as const) {
      one.on('error', () => undefined)
      one.on('close', () => {
        this.#pairs.delete(socket)
        other.destroySoon()
      })
    }
  }

  #adjust(): void {
    for (const { up, down } of this.#pairs.values()) {
      up.adjust()
      down.adjust()
    }
  }
}
