import type { Duplex } from 'node:stream'
import type { BridgeTraffic, PluggableBroker } from '@x/contract'
import type { Subscription } from '@x/packet'
import { BridgeError } from './bridge-error.ts'
import type { CheckedOptions } from './bridge-options.ts'
import { localConnect, remoteConnect } from './connect-packets.ts'
import type { Dialect } from './dialect.ts'
import { Link } from './link.ts'
import type { AckKind, LinkReceiver } from './link.ts'
import type { LocalSession } from './local-session.ts'
import type { LoopGuard } from './loop-guard.ts'
import { LoopWatch } from './loop-watch.ts'
import { OutLanes } from './out-lanes.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay.ts'

/** What a crossing is made of. */
export interface CrossingOptions {
  readonly broker: PluggableBroker
  readonly options: CheckedOptions
  readonly session: LocalSession
  readonly dialect: Dialect
  readonly guard: LoopGuard | undefined
  readonly counters: { readonly in: BridgeTraffic; readonly out: BridgeTraffic }
  /** Which broker it is, for errors. */
  readonly remoteName: string
  /** Called once, when either side is lost. */
  readonly ended: (error: BridgeError) => void
}

const greatestWindow = 65_535
const subscriptionFailure = 0x80

/** A bridge while it is connected: a session at each broker, and what goes between them. Both end together, so that what one side can't
 * pass on stays where it is. Of several connections to the other broker each carries its part of the topics that go out; what comes in comes on
 * the first. */
export class Crossing {
  readonly #context: CrossingOptions
  /** In the order of their numbers; the first is open before the others. */
  readonly #remotes: Link[] = []
  #local: Link | undefined
  #isOver = false

  constructor(context: CrossingOptions) {
    this.#context = context
  }

  /** Opens both sessions and lets messages through, beginning with those that wait in either session.
   * @throws BridgeError `BRIDGE_REFUSED`, `BRIDGE_SUBSCRIPTION_REFUSED`, `BRIDGE_CONNECTION_LOST`, `BRIDGE_LOCAL_SESSION` */
  async open(remoteStreams: readonly Duplex[]): Promise<void> {
    const { options } = this.#context
    const windows: number[] = []
    // All at once, so that none is lost without being noticed.
    this.#remotes.push(...remoteStreams.map(stream => this.#linkTo(stream)))
    for (const [lane, remote] of this.#remotes.entries()) {
      const limits = await remote.connect(remoteConnect(options, this.#context.dialect, lane))
      windows.push(limits.receiveMaximum)
    }
    const localStream = this.#context.broker.openLocalStream(`bridge ${options.name}`)
    const local = new Link(localStream, {
      name: 'this broker',
      version: 5,
      clock: options.clock,
      keepAlive: 0,
      topicAliasMaximum: 0,
      ended: error => this.#lost(localTrouble(error)),
    })
    this.#local = local
    const window = windows.reduce((sum, one) => sum + Math.min(options.receiveMaximum, one), 0)
    const { sessionPresent } = await local.connect(localConnect(options, Math.min(window, greatestWindow)))
    const [remote] = this.#remotes
    if (remote === undefined) return
    this.#join(remote, local)
    await this.#notify(remote)
    await this.#subscribe(remote, local)
    if (sessionPresent) await this.#forgetOld(local, Object.keys(localStream.client.subscriptions))
  }

  #linkTo(stream: Duplex): Link {
    const { options, dialect, remoteName: name } = this.#context
    const { clock, keepAlive, topicAliasMaximum } = options
    const ended = (error: BridgeError): void => this.#lost(error)
    return new Link(stream, { name, version: dialect.version, clock, keepAlive, topicAliasMaximum, ended })
  }

  /** Either side is lost, or both are closed. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Ends both sides; sessions stay, unless they are `over`. `0` is told to the other broker, as its will would. */
  close(sessions: 'kept' | 'over' = 'kept'): void {
    const { options, dialect } = this.#context
    const [remote] = this.#remotes
    if (!this.#isOver && remote !== undefined && options.notifications === true) {
      const { notificationTopic: topic } = options
      // DISCONNECT follows at once, in order: a broker that does not acknowledge is not waited for.
      remote.publish({ topic, payload: '0', retain: dialect.retain }).catch(() => undefined)
    }
    this.#isOver = true
    this.#local?.disconnect(sessions)
    for (const one of this.#remotes) one.disconnect(sessions)
  }

  #lost(error: BridgeError): void {
    if (this.#isOver) return
    this.#isOver = true
    // Without DISCONNECT: what the two brokers have not acknowledged is repeated.
    this.#local?.fail(error.code, error.message)
    for (const one of this.#remotes) one.fail(error.code, error.message)
    this.#context.ended(error)
  }

  #join(first: Link, local: Link): void {
    const { options, guard, counters, session } = this.#context
    const { topics } = options
    const watch = this.#loopWatch()
    const isLocalNew = session.begins(local.limits.sessionPresent)
    const out = new OutLanes(
      this.#remotes.map(remote => {
        const sinkIsOlder = remote.limits.sessionPresent && isLocalNew
        return new Relay({ ...this.#outOptions(watch), source: local, sink: remote, sinkIsOlder })
      }),
    )
    const into = new Relay({
      source: first,
      sink: local,
      counters: counters.in,
      rename: topic => topics.toLocal(topic),
      isLoop: properties => guard?.hasPassedHere(properties) === true,
      stops: watch && ((_topic, renamed, payload) => watch.stops('in', renamed, payload)),
      added: undefined,
      maximumPacketSize: Infinity,
      keepsRetain: true,
      sinkIsOlder: !isLocalNew && !first.limits.sessionPresent,
    })
    for (const [lane, remote] of this.#remotes.entries()) remote.start(remoteReceiver(lane, out, into))
    local.start(localReceiver(out, into))
  }

  #outOptions(watch: LoopWatch | undefined): Omit<RelayOptions, 'source' | 'sink' | 'sinkIsOlder'> {
    const { options, guard, counters, dialect } = this.#context
    const { topics, maximumPacketSize, outgoingRetain } = options
    return {
      counters: counters.out,
      rename: topic => topics.toRemote(topic),
      isLoop: properties => guard?.hasPassed(properties) === true,
      stops: watch && ((topic, _renamed, payload) => watch.stops('out', topic, payload)),
      added: guard?.own,
      maximumPacketSize,
      keepsRetain: outgoingRetain && dialect.retain,
    }
  }

  /** Of this connection alone: with each one retained messages go both ways once. */
  #loopWatch(): LoopWatch | undefined {
    const { options, broker, remoteName } = this.#context
    const { clock, detectLoops, topics, name } = options
    if (!detectLoops || !topics.goBothWays) return undefined
    return new LoopWatch(clock, (topic, rounds) => {
      const message = `bridge ${name}: '${topic}' came back from ${remoteName} ${rounds} times and is stopped: brokers are bridged in a circle that does not pass bridge-path on, as none does before MQTT 5.0`
      broker.reportError(new BridgeError('BRIDGE_LOOP', message))
    })
  }

  async #notify(remote: Link): Promise<void> {
    const { options, dialect } = this.#context
    if (options.notifications !== true) return
    await remote.publish({ topic: options.notificationTopic, payload: '1', retain: dialect.retain })
  }

  async #subscribe(remote: Link, local: Link): Promise<void> {
    const { options, dialect } = this.#context
    const { topics, attemptUnsubscribe } = options
    for (const { filter, qos } of topics.localSubscriptions) {
      const granted = await local.subscribe([
        { topic: filter, qos: Math.min(qos, remote.limits.maximumQos) as typeof qos, nl: true, rap: true, rh: 0 },
      ])
      this.#assertGranted(filter, 'this broker', granted)
    }
    if (attemptUnsubscribe) for (const filter of topics.remoteUnsubscriptions) await remote.unsubscribe([filter])
    for (const { filter, qos } of topics.remoteSubscriptions) {
      const subscription: Subscription = { topic: filter, qos: Math.min(qos, dialect.maximumQos) as typeof qos }
      const granted = await remote.subscribe([
        dialect.version === 5 ? { ...subscription, nl: true, rap: true, rh: 0 } : subscription,
      ])
      this.#assertGranted(filter, this.#context.remoteName, granted)
    }
  }

  /** One filter that is refused leaves the others as they are. */
  #assertGranted(filter: string, name: string, [code = 0]: readonly number[]): void {
    if (code < subscriptionFailure) return
    this.#context.broker.reportError(
      new BridgeError(
        'BRIDGE_SUBSCRIPTION_REFUSED',
        `bridge ${this.#context.options.name}: ${name} refused to subscribe '${filter}' with 0x${code.toString(16)}`,
        { reasonCode: code },
      ),
    )
  }

  /** The session may have filters of an earlier configuration. */
  async #forgetOld(local: Link, filters: readonly string[]): Promise<void> {
    const wanted = new Set(this.#context.options.topics.localSubscriptions.map(({ filter }) => filter))
    await local.unsubscribe(filters.filter(filter => !wanted.has(filter)))
  }
}

/** What comes from the other broker: messages on the first connection, acknowledgements on all of them. */
function remoteReceiver(lane: number, out: OutLanes, into: Relay): LinkReceiver {
  return {
    publish(frame, topic) {
      if (lane !== 0) throw new Error(`a message came on connection ${lane}, which has subscribed to nothing`)
      into.publish(frame, topic)
    },
    ack(kind: AckKind, messageId, reasonCode) {
      if (kind === 'pubrel') into.release(messageId)
      else out.acknowledged(lane, { kind, messageId, reasonCode })
    },
  }
}

function localReceiver(out: OutLanes, into: Relay): LinkReceiver {
  return {
    publish: (frame, topic) => out.publish(frame, topic),
    ack(kind: AckKind, messageId, reasonCode) {
      if (kind === 'pubrel') out.release(messageId)
      else into.acknowledged(kind, messageId, reasonCode)
    },
  }
}

function localTrouble(error: BridgeError): BridgeError {
  if (error.code !== 'BRIDGE_CONNECTION_LOST') return error
  return new BridgeError('BRIDGE_LOCAL_SESSION', `the session at this broker ended: ${error.message}`, { cause: error })
}
