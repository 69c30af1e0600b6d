import type { MaybePromise } from '@x/contract'
import type { FrameReader, PublishFrame } from '@x/packet'
import { parseTopicName } from '@x/topic-trie'
import { sendAck } from './acknowledge.ts'
import { aliasedTopic } from './aliased-topic.ts'
import { execute, isCommand } from './control.ts'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { Begun, ClientConnection, Host } from '../connect/client-connection.ts'
import { after, isPromise } from '../ground/maybe-promise.ts'
import type { IncomingPublish } from './incoming-publish.ts'
import { dropPublish, isRefusedAlone, notSent, notStored, refusePublish } from './publish-refusal.ts'
import { incomingPacketOf, republish } from '../message/broker-packet.ts'
import type { IncomingPacket } from '../message/broker-packet.ts'
import { PendingPublishes } from '../session/pending-publishes.ts'
import type { Remainder } from '../session/pending-publishes.ts'
import { Publication } from '../message/publication.ts'
import type { Origin } from '../message/publication.ts'
import { ReadHold } from '../connection/read-hold.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'
import { payloadRefusal } from '../message/payload-refusal.ts'
import { checkAvailable, checkReceiveMaximum } from './publish-rules.ts'
import { topicRefusal } from '../hooks/topic-access.ts'

/** PUBLISH from a client. MQTT 5.0 §3.3 */
export function receivePublish(connection: ClientConnection, reader: FrameReader): MaybePromise<void> {
  const { engine } = connection
  const frame = engine.publishFrame
  frame.read(
    reader.source,
    reader.header,
    reader.frameStart,
    reader.bodyStart,
    reader.frameEnd,
    connection.version,
    'client',
  )
  const { counters } = engine
  counters.publishesReceived += 1
  counters.publishBytesReceived += frame.frameEnd - frame.payloadStart
  if (frame.qos === 1) counters.publishesReceivedQoS1 += 1
  else if (frame.qos === 2) counters.publishesReceivedQoS2 += 1
  const isFollowed = engine.traces?.chooses(frame) === true
  const mountPoint = connection.profile?.mountPoint
  const tooLarge = payloadRefusal(frame.frameEnd - frame.payloadStart, engine.options.maximumPayloadSize)
  const passable =
    frame.qos === 0 &&
    !frame.retain &&
    frame.forwardable &&
    engine.passThrough &&
    !isFollowed &&
    (mountPoint ?? tooLarge) === undefined
  if (passable && engine.run.extend(frame)) return undefined
  engine.run.flush()
  if (frame.qos > 0 || frame.retain) checkAvailable(connection, frame)
  const named =
    frame.topicAlias === 0
      ? engine.interner.intern(frame.source, frame.topicStart, frame.topicEnd)
      : aliasedTopic(connection, frame)
  const topic = mountPoint === undefined ? named : mountPoint.topic(named)
  const refusal = tooLarge ?? topicRefusal(engine, connection.client, topic)
  if (refusal !== undefined) return refuseTopic(connection, frame, refusal)
  // No run while publishes are pending, unless these are runs and it comes behind them: it could overtake one on this topic.
  const { isSendingRuns } = connection
  if (passable && (connection.pending === undefined || isSendingRuns) && !isCommand(connection, topic)) {
    const plan = engine.router.plan(topic)
    const waits = !isSendingRuns && engine.fanOuts.isSending(topic)
    if (plan.verbatim && engine.emitter?.reaches(topic) !== true && !waits) {
      engine.run.begin(connection, { plan, topic }, frame)
      return undefined
    }
  }
  return accept(connection, engine, frame, topic)
}

/** Of a message that was accepted before, only the acknowledgement was lost: its exchange goes on, whatever is forbidden meanwhile. */
function refuseTopic(connection: ClientConnection, { messageId, qos }: PublishFrame, refusal: BrokerError): void {
  const session = connection.session as Session
  if (qos === 2 && session.received.has(messageId)) acknowledgeAgain({ connection, session, messageId, qos })
  else dropPublish({ connection, messageId, qos }, refusal)
}

/** Reused for each message, so that none is allocated: a publication keeps its fields, not the object. */
const origin: { -readonly [Key in keyof Origin]: Origin[Key] } = {
  publisher: undefined,
  source: undefined,
  brokerId: '',
  brokerCounter: 0,
  now: 0,
  ownsFrame: false,
}

/** Accepts a message that is not forwarded in a run. */
function accept(connection: ClientConnection, engine: Host, frame: PublishFrame, topic: string): MaybePromise<void> {
  const session = connection.session as Session
  const { messageId, qos, dup } = frame
  if (qos === 2 && session.received.has(messageId)) return acknowledgeAgain({ connection, session, messageId, qos })
  origin.publisher = session.clientId
  origin.source = connection.source
  // Hooks and listeners are shown the payload, and may change it.
  origin.ownsFrame = connection.ownsChunk && engine.passThrough
  origin.brokerId = engine.brokerId
  origin.brokerCounter = engine.nextCounter()
  origin.now = frame.messageExpiryInterval < 0 ? 0 : engine.clock.now()
  const mountPoint = connection.profile?.mountPoint
  const publication =
    mountPoint === undefined
      ? new Publication(topic, origin, frame, connection.version)
      : mountPoint.publicationOf(topic, origin, frame)
  engine.traces?.accepted(publication)
  const request: IncomingPublish = { connection, session, publication, messageId, qos }
  const { authorizePublish } = engine.hooks
  if (authorizePublish === undefined || connection.client.trusted) return authorized(request)
  return authorize(request, authorizePublish, { dup, messageId, length: frame.frameEnd - frame.topicStart + 2 })
}

// By itself, like whatever needs a closure: V8 allocates the variables of closures when a function begins, also for messages that need
// none (qos1-1-1: 7 % less CPU).
function authorize(
  request: IncomingPublish,
  authorizePublish: NonNullable<Host['hooks']['authorizePublish']>,
  header: Parameters<typeof incomingPacketOf>[1],
): MaybePromise<void> {
  const { connection, publication } = request
  const now = connection.engine.clock.now()
  const packet = incomingPacketOf(publication, header, now)
  let permitted: MaybePromise<unknown>
  try {
    permitted = authorizePublish(connection.client, packet)
  } catch (error) {
    return refusePublish(request, toError(error))
  }
  if (!isPromise(permitted)) return allowed(request, packet, now)
  return permitted.then(
    () => allowed(request, packet, now),
    (error: unknown) => refusePublish(request, toError(error)),
  )
}

/** `authorizePublish` permits the message as it is in `packet` now. A message that can't be published is refused; nobody waits for an
 * acknowledgement at QoS 0, so the client does not pay for what the hook has made of its message. */
function allowed(request: IncomingPublish, packet: IncomingPacket, now: number): MaybePromise<void> {
  let publication: Publication
  try {
    publication = republish(request.publication, packet, now)
    const { maxTopicLevels } = request.connection.engine.options
    if (publication !== request.publication) parseTopicName(publication.topic, { maximumLevels: maxTopicLevels })
  } catch (error) {
    if (request.qos > 0) return refusePublish(request, toError(error))
    request.connection.engine.traces?.ended(request.publication, error)
    return dropPublish(request, toError(error))
  }
  return authorized({ ...request, publication })
}

function authorized(request: IncomingPublish): MaybePromise<void> {
  const { connection, session, publication, messageId, qos } = request
  const { engine } = connection
  if (connection.phase !== 'connected') {
    engine.traces?.ended(publication, publisherLeft())
    return undefined
  }
  if (qos > 0 && (connection.pending !== undefined || session.received.size > 0)) {
    checkReceiveMaximum(connection, session, qos)
  }
  if (qos === 2) session.addReceived(messageId)
  if (isCommand(connection, publication.topic)) return obey(request)
  const receipt = qos === 2 && session.stored ? { session: session.handle, packetId: messageId } : undefined
  let stored: MaybePromise<number>
  try {
    stored = engine.publishing.store(publication, receipt)
  } catch (error) {
    notStored(request, error)
    return undefined
  }
  if (!isPromise(stored) && connection.pending === undefined) return complete(request, stored)
  beginLater(request, stored)
  return undefined
}

function beginLater(request: IncomingPublish, stored: MaybePromise<number>): void {
  const { connection, publication, qos } = request
  connection.pending ??= new PendingPublishes(connection)
  connection.pending.add(qos, settle(request, stored), outcome => {
    // The client may have published on another connection since; this message would follow those ([MQTT5-4.6.0-6]).
    if (qos === 0 && connection.takenOver) {
      connection.engine.traces?.ended(publication, publisherLeft())
      return undefined
    }
    return typeof outcome === 'number' ? begin(request, outcome) : notStored(request, outcome?.error)
  })
}

/** Executes a command; its publisher is acknowledged afterwards, in its turn. */
function obey(request: IncomingPublish): void {
  const { connection, publication, qos } = request
  const executed = execute(connection, publication)
  const acknowledge = (): void => finish(request, true)
  if (!isPromise(executed) && connection.pending === undefined) acknowledge()
  else {
    connection.pending ??= new PendingPublishes(connection)
    connection.pending.add(qos, isPromise(executed) ? executed : undefined, () => ({ acknowledge }))
  }
}

/** The message was accepted before; only the acknowledgement was lost ([MQTT5-4.3.3-10]). It is repeated once the message is stored and
 * sent to other brokers. */
function acknowledgeAgain(request: Omit<IncomingPublish, 'publication'>): void {
  const { connection, session, messageId } = request
  const unfinished = connection.engine.unfinished.of(session.clientId)
  if (connection.pending === undefined && unfinished === undefined) sendAcknowledgement(request, true)
  else {
    const acknowledge = (): void => {
      if (session.received.has(messageId)) sendAcknowledgement(request, true)
    }
    connection.pending ??= new PendingPublishes(connection)
    connection.pending.add(2, undefined, () => ({ emitted: unfinished, acknowledge }))
  }
}

/** Settles with the result or the error of `stored`; it does not reject. */
async function settle(
  { connection, qos }: IncomingPublish,
  stored: MaybePromise<number>,
): Promise<number | { readonly error: unknown }> {
  try {
    return await stored
  } catch (error) {
    if (!isRefusedAlone(connection, qos, error)) connection.hold(ReadHold.failed)
    return { error }
  }
}

/** Routes, reports and acknowledges a stored message: at once if nothing has to be waited for. `begin` does the same for a publish that
 * has waited. There are two since a {@link Remainder} is an object with two closures, which the publishes of the usual case, where
 * nothing is asynchronous, do without: they are most of what a broker does. */
function complete(request: IncomingPublish, stored: number): void {
  const { connection, publication, messageId } = request
  const begun = connection.engine.publishing.begin(publication, connection, stored)
  if (typeof begun !== 'boolean') {
    wait(request, remainderOf(request, begun))
    return
  }
  const { passThrough, publishing } = connection.engine
  const routed = passThrough ? undefined : publishing.report(publication, connection, messageId)
  if (isPromise(routed)) wait(request, reportedOf(request, routed, begun))
  else finish(request, begun)
}

function reportedOf(request: IncomingPublish, routed: Promise<void>, reached: boolean): Remainder {
  return { routed, acknowledge: () => finish(request, reached) }
}

/** Later publishes are neither delivered nor acknowledged before this one. */
function wait({ connection, qos }: IncomingPublish, remainder: Remainder): void {
  // Its promises may be awaited in a later turn only; until then a rejection must not count as unhandled.
  for (const step of [remainder.routed, remainder.emitted]) if (isPromise(step)) step.catch(() => undefined)
  connection.pending = new PendingPublishes(connection)
  connection.pending.add(qos, undefined, () => remainder)
}

/** Like `complete`, for a publish that has waited. */
function begin(request: IncomingPublish, stored: number): Remainder {
  const { connection, publication } = request
  const begun = connection.engine.publishing.begin(publication, connection, stored)
  return remainderOf(request, typeof begun === 'boolean' ? { reached: begun } : begun)
}

function remainderOf(request: IncomingPublish, { routed, emitted, reached }: Begun): Remainder {
  const { connection, publication, messageId } = request
  const acknowledge = (): MaybePromise<void> =>
    after(connection.engine.publishing.report(publication, connection, messageId), () => finish(request, reached))
  return { routed, emitted, acknowledge, unsent: error => notSent(request, error) }
}

/** What the trace of a message ends with that is not published. */
function publisherLeft(): BrokerError {
  return new BrokerError('CONNECTION_CLOSED', {
    message: 'the publisher has left before its message was published',
    reasonCode: ReasonCode.unspecifiedError,
  })
}

function finish(request: IncomingPublish, reached: boolean): void {
  sendAcknowledgement(request, reached)
  request.connection.engine.traces?.ended(request.publication)
}

function sendAcknowledgement(
  { connection, messageId, qos }: Omit<IncomingPublish, 'publication'>,
  reached: boolean,
): void {
  if (qos === 0) return
  const reasonCode = reached ? ReasonCode.success : ReasonCode.noMatchingSubscribers
  sendAck(connection, qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode)
}
