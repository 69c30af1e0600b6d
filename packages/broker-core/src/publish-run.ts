import { writePublish } from '@x/packet'
import { FrameReader, PublishFrame, publishSize } from '@x/packet'
import type { OutgoingPublish, ProtocolVersion } from '@x/packet'
import type { Connection } from './connection.ts'
import type { Engine } from './engine.ts'
import type { Plan } from './router.ts'

const none: Buffer = Buffer.alloc(0)

/** Consecutive QoS 0 PUBLISH packets of one connection on one topic, as they stand in its chunk.
 *
 * A chunk of 64 KiB holds hundreds of small messages, and each receiver gets the same bytes: so the row is delivered at
 * once, as one range of bytes per receiver, instead of message by message. Of one publisher with 1000 subscribers that
 * made the deliveries of one core 5 times as many (benchmarks: fanout-1000). */
export class PublishRun {
  readonly #engine: Engine
  #connection: Connection | undefined
  #plan: Plan | undefined
  #source: Buffer = none
  #start = 0
  #end = 0
  #topicStart = 0
  #topicEnd = 0
  #count = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Adds the frame when it follows directly and has the same topic. */
  extend(frame: PublishFrame): boolean {
    if (frame.frameStart !== this.#end || frame.source !== this.#source) return false
    const length = this.#topicEnd - this.#topicStart
    if (frame.topicEnd - frame.topicStart !== length) return false
    const source = frame.source
    for (let index = 0, from = frame.topicStart, to = this.#topicStart; index < length; index += 1) {
      if (source[from + index] !== source[to + index]) return false
    }
    this.#end = frame.frameEnd
    this.#count += 1
    return true
  }

  /** Starts with this frame; the previous run has been flushed. */
  begin(connection: Connection, plan: Plan, frame: PublishFrame): void {
    this.#connection = connection
    this.#plan = plan
    this.#source = frame.source
    this.#start = frame.frameStart
    this.#end = frame.frameEnd
    this.#topicStart = frame.topicStart
    this.#topicEnd = frame.topicEnd
    this.#count = 1
  }

  /** Delivers what there is. Must happen before anything else of the connection is acted on, and before the chunk ends. */
  flush(): void {
    if (this.#count === 0) return
    const connection = this.#connection as Connection
    const plan = this.#plan as Plan
    const source = this.#source
    const start = this.#start
    const end = this.#end
    const count = this.#count
    this.#count = 0
    this.#source = none
    this.#end = 0
    this.#connection = undefined
    this.#plan = undefined

    const { counters } = this.#engine
    const lane = connection.version === 5 ? 5 : 3
    let translated: Buffer | undefined
    for (const { session } of plan.targets) {
      if (!session.isOpen) continue
      const receiver = session.connection
      if (session.congested) connection.slowDownFor(receiver)
      if (receiver.shedsLoad) {
        counters.droppedOutboxFull += count
        continue
      }
      if (session.lane === lane) session.outbox.appendRun(source, start, end)
      else if (session.lane === 0) {
        this.#sendOneByOne(connection.version, session, source, start, end)
        continue
      } else {
        translated ??= translate(source, start, end, connection.version)
        session.outbox.appendRun(translated, 0, translated.length)
      }
      counters.publishesSent += count
    }
  }

  #sendOneByOne(version: ProtocolVersion, session: Plan['targets'][number]['session'], source: Buffer, start: number, end: number): void {
    for (const publish of frames(source, start, end, version)) {
      const size = publishSize(publish, session.version)
      if (size > session.maximumPacketSize) {
        this.#engine.counters.droppedTooLarge += 1
        continue
      }
      const offset = session.outbox.reserve(size)
      writePublish(session.outbox.buffer, offset, publish, session.version)
      this.#engine.counters.publishesSent += 1
    }
  }
}

/** The run in the wire format of the other protocol generation. */
function translate(source: Buffer, start: number, end: number, version: ProtocolVersion): Buffer {
  const other = version === 5 ? 4 : 5
  const publishes = frames(source, start, end, version)
  const translated = Buffer.allocUnsafe(publishes.reduce((size, publish) => size + publishSize(publish, other), 0))
  let offset = 0
  for (const publish of publishes) offset = writePublish(translated, offset, publish, other)
  return translated
}

/** The messages of a run. They have passed all checks, and all have one topic. */
function frames(source: Buffer, start: number, end: number, version: ProtocolVersion): OutgoingPublish[] {
  const reader = new FrameReader({ maximumPacketSize: end - start })
  const frame = new PublishFrame()
  const publishes: OutgoingPublish[] = []
  let topic: string | undefined
  reader.push(source.subarray(start, end))
  while (reader.next()) {
    frame.read(reader.source, reader.header, reader.frameStart, reader.bodyStart, reader.frameEnd, version, 'client')
    topic ??= frame.source.toString('utf8', frame.topicStart, frame.topicEnd)
    publishes.push({
      topic,
      payload: frame.payload(),
      qos: 0,
      retain: false,
      dup: false,
      messageId: 0,
      properties: frame.forwardableProperties(),
      messageExpiryInterval: undefined,
      subscriptionIdentifiers: undefined,
      topicAlias: undefined,
    })
  }
  return publishes
}
