import { deferred } from '@x/emitter-parts'
import type { Deferred, MessageLink } from '@x/emitter-parts'
import { frameType, writeFrame, writeNumber } from './mesh-frame.ts'
import type { MeshConnection } from './mesh-connection.ts'
import type { MeshCounters } from './mesh-counters.ts'
import { MeshError } from './mesh-error.ts'
import type { TurnEnd } from './turn-end.ts'

/** Bytes of messages after which a frame is complete, before its turn has ended. */
const frameBytes = 256 * 1024

/** What the outgoing side of a peer needs, and whom it tells. */
export interface LinkHost {
  /** What frames of messages begin with: the name of this broker's life. */
  readonly head: Buffer
  readonly counters: MeshCounters
  readonly turn: TurnEnd
  /** Bytes that may wait for the peer. */
  readonly maximumOutgoingBytes: number
  /** The peer, for sentences. */
  readonly peer: string
}

/** What the peer has to confirm. */
interface NumberedFrame {
  readonly bytes: Buffer
  /** By `performance.now()`. */
  readonly since: number
  /** Messages of each kind. */
  readonly atLeastOnceCount: number
  readonly exactlyOnceCount: number
  readonly atLeastOnce: Deferred | undefined
  readonly exactlyOnce: Deferred | undefined
}

/** Messages and news for one peer. All of one turn travel in one frame (or several, when they are large), those of QoS 0 in one of their
 * own, which is not kept: what has to be sent again must not come after newer ones.
 *
 * Numbered frames are kept until the peer has confirmed their number. When the connection is cut, the link waits for the next one and
 * goes on after the last number that has come. */
export class OutgoingLink implements MessageLink {
  readonly #host: LinkHost
  #connection: MeshConnection | undefined
  #said: Buffer[] = []
  #saidBytes = 0
  #kept: Buffer[] = []
  #keptBytes = 0
  /** Of the frame that is being filled, once it has a message of QoS 1, or of QoS 2. */
  #atLeastOnce: Deferred | undefined
  #exactlyOnce: Deferred | undefined
  #atLeastOnceCount = 0
  #exactlyOnceCount = 0
  #numbered = 0
  /** By their numbers, which ascend by one. */
  readonly #unconfirmed = new Map<number, NumberedFrame>()
  #unconfirmedBytes = 0
  #progressAt = 0
  /** Undefined: the peer is there. `gone`: it is not. An error: it was given up. */
  #end: 'gone' | MeshError | undefined

  constructor(host: LinkHost) {
    this.#host = host
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  /** By `performance.now()`: since when the peer has confirmed nothing of what waits; undefined: nothing waits. */
  get waitsSince(): number | undefined {
    const [first] = this.#unconfirmed.values()
    return first === undefined ? undefined : Math.max(first.since, this.#progressAt)
  }

  add(record: Buffer): void {
    if (this.#end !== undefined) return
    const { counters, maximumOutgoingBytes } = this.#host
    if (this.#connection === undefined || this.#connection.waitingBytes + this.#saidBytes > maximumOutgoingBytes) {
      counters.droppedOutgoing += 1
      return
    }
    this.#fill()
    this.#said.push(record)
    this.#saidBytes += record.length
    if (this.#saidBytes >= frameBytes) this.flush()
  }

  addNumbered(record: Buffer, qos: 1 | 2): Promise<void> {
    if (this.#end !== undefined) return this.#end === 'gone' ? Promise.resolve() : Promise.reject(this.#end)
    const { counters, maximumOutgoingBytes, peer } = this.#host
    if (this.#unconfirmedBytes + this.#keptBytes > maximumOutgoingBytes) {
      counters.refused += 1
      const message = `maximumOutgoingBytes of ${maximumOutgoingBytes} wait for ${peer}`
      return Promise.reject(new MeshError('QUOTA_EXCEEDED', { message }))
    }
    this.#fill()
    const { promise } = qos === 1 ? (this.#atLeastOnce ??= deferred()) : (this.#exactlyOnce ??= deferred())
    if (qos === 1) this.#atLeastOnceCount += 1
    else this.#exactlyOnceCount += 1
    this.#kept.push(record)
    this.#keptBytes += record.length
    if (this.#keptBytes >= frameBytes) this.flush()
    return promise
  }

  /** Tells news; settles when the peer has them, or is gone or given up. */
  tell(type: number, body: Buffer): Promise<void> {
    const told = deferred()
    this.#tell(type, body, told)
    return told.promise
  }

  /** Tells news that nobody waits for. */
  note(type: number, body: Buffer): void {
    this.#tell(type, body, undefined)
  }

  #tell(type: number, body: Buffer, told: Deferred | undefined): void {
    if (this.#end !== undefined) {
      told?.resolve()
      return
    }
    // They come after what was published before.
    this.flush()
    const counts = { atLeastOnceCount: 0, exactlyOnceCount: 0 }
    this.#enqueue(type, [body], { ...counts, atLeastOnce: undefined, exactlyOnce: told })
  }

  /** Says what has a meaning now alone. */
  say(type: number, body: Buffer): void {
    this.flush()
    this.#connection?.send(writeFrame(type, [body]))
  }

  flush(): void {
    const { counters, head } = this.#host
    if (this.#said.length > 0) {
      counters.sent += this.#said.length
      this.#connection?.send(writeFrame(frameType.messages, [head, ...this.#said]))
      this.#said = []
      this.#saidBytes = 0
    }
    if (this.#kept.length > 0) {
      counters.sent += this.#kept.length
      this.#enqueue(frameType.numberedMessages, [head, ...this.#kept], {
        atLeastOnceCount: this.#atLeastOnceCount,
        exactlyOnceCount: this.#exactlyOnceCount,
        atLeastOnce: this.#atLeastOnce,
        exactlyOnce: this.#exactlyOnce,
      })
      this.#kept = []
      this.#keptBytes = 0
      this.#atLeastOnceCount = 0
      this.#exactlyOnceCount = 0
      this.#atLeastOnce = undefined
      this.#exactlyOnce = undefined
    }
  }

  /** There is a connection, and the peer has everything up to that number. */
  connect(connection: MeshConnection, received: number): void {
    this.confirmed(received)
    this.#connection = connection
    this.#progressAt = performance.now()
    for (const { bytes } of this.#unconfirmed.values()) connection.send(bytes)
  }

  /** It is cut. */
  disconnect(connection: MeshConnection): void {
    if (this.#connection === connection) this.#connection = undefined
  }

  confirmed(number: number): void {
    if (number > this.#numbered) {
      throw new MeshError('PEER_INVALID', { message: `it confirms ${number}, and ${this.#numbered} were sent` })
    }
    this.#progressAt = performance.now()
    for (const [sent, frame] of this.#unconfirmed) {
      if (sent > number) break
      this.#settle(sent, frame, undefined)
    }
  }

  /** This process was stopped: what waits has the whole of its time again. */
  excuse(): void {
    this.#progressAt = performance.now()
  }

  /** The peer has forgotten this row of numbers: it begins again. What was unconfirmed is given up. */
  restart(error: MeshError): void {
    this.flush()
    this.#settleAll(error)
    this.#numbered = 0
  }

  close(): void {
    this.#stop('gone')
  }

  abandon(): void {
    this.giveUp(
      new MeshError('UNAVAILABLE', { message: `the emitter was closed before ${this.#host.peer} had confirmed` }),
    )
  }

  /** The peer may have what is unconfirmed, or not. Publishers of QoS 1 are told so; what is of QoS 2 counts as published, since others
   * have it, and would get it again. */
  giveUp(error: MeshError): void {
    this.#stop(error)
  }

  #stop(end: 'gone' | MeshError): void {
    if (this.#end !== undefined) return
    this.flush()
    this.#end = end
    this.#connection = undefined
    this.#settleAll(end === 'gone' ? undefined : end)
  }

  #settleAll(error: MeshError | undefined): void {
    for (const [number, frame] of this.#unconfirmed) this.#settle(number, frame, error)
  }

  #fill(): void {
    if (this.#said.length + this.#kept.length === 0) this.#host.turn.flushes(this)
  }

  #enqueue(type: number, parts: readonly Buffer[], rest: Omit<NumberedFrame, 'bytes' | 'since'>): void {
    this.#numbered += 1
    const bytes = writeFrame(type, [writeNumber(this.#numbered), ...parts])
    this.#unconfirmed.set(this.#numbered, { bytes, since: performance.now(), ...rest })
    this.#unconfirmedBytes += bytes.length
    this.#connection?.send(bytes)
  }

  #settle(number: number, frame: NumberedFrame, error: MeshError | undefined): void {
    this.#unconfirmed.delete(number)
    this.#unconfirmedBytes -= frame.bytes.length
    frame.exactlyOnce?.resolve()
    if (error === undefined) {
      frame.atLeastOnce?.resolve()
      return
    }
    const { counters } = this.#host
    counters.unsent += frame.atLeastOnceCount
    counters.lost += frame.exactlyOnceCount
    frame.atLeastOnce?.reject(error)
  }
}
