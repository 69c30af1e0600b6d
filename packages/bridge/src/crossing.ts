import type { Duplex } from 'node:stream'
import type { BridgeTraffic, PluggableBroker } from '@x/contract'
import type { ConnectPacket, Subscription } from '@x/packet'
import { BridgeError } from './bridge-error.ts'
import type { CheckedOptions } from './bridge-options.ts'
import type { Dialect } from './dialect.ts'
import { Link } from './link.ts'
import type { AckKind, LinkReceiver } from './link.ts'
import type { LoopGuard } from './loop-guard.ts'
import { Relay } from './relay.ts'

/** What a crossing is made of. */
export interface CrossingOptions {
  readonly broker: PluggableBroker
  readonly options: CheckedOptions
  readonly dialect: Dialect
  readonly guard: LoopGuard | undefined
  readonly counters: { readonly in: BridgeTraffic; readonly out: BridgeTraffic }
  /** Which broker it is, for errors. */
  readonly remoteName: string
  /** Called once, when either side is lost. */
  readonly ended: (error: BridgeError) => void
}

const neverExpires = 4_294_967_295
const subscriptionFailure = 0x80

/** A bridge while it is connected: a session at each broker, and what goes between them. Both end together, so that what one side can't
 * pass on stays where it is. */
export class Crossing {
  readonly #context: CrossingOptions
  #remote: Link | undefined
  #local: Link | undefined
  #isOver = false

  constructor(context: CrossingOptions) {
    this.#context = context
  }

  /** Opens both sessions and lets messages through, beginning with those that wait in either session.
   * @throws BridgeError `BRIDGE_REFUSED`, `BRIDGE_SUBSCRIPTION_REFUSED`, `BRIDGE_CONNECTION_LOST`, `BRIDGE_LOCAL_SESSION` */
  async open(remoteStream: Duplex): Promise<void> {
    const { options, dialect, remoteName } = this.#context
    const { clock, keepAlive, topicAliasMaximum } = options
    const remote = new Link(remoteStream, {
      name: remoteName,
      version: dialect.version,
      clock,
      keepAlive,
      topicAliasMaximum,
      ended: error => this.#lost(error),
    })
    this.#remote = remote
    const remoteLimits = await remote.connect(this.#remoteConnect())
    const localStream = this.#context.broker.openLocalStream(`bridge ${options.name}`)
    const local = new Link(localStream, {
      name: 'this broker',
      version: 5,
      clock,
      keepAlive: 0,
      topicAliasMaximum: 0,
      ended: error => this.#lost(localTrouble(error)),
    })
    this.#local = local
    const window = Math.min(options.receiveMaximum, remoteLimits.receiveMaximum)
    const localLimits = await local.connect(this.#localConnect(window))
    this.#join(remote, local)
    await this.#notify(remote)
    await this.#subscribe(remote, local)
    if (localLimits.sessionPresent) await this.#forgetOld(local, Object.keys(localStream.client.subscriptions))
  }

  /** Either side is lost, or both are closed. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Ends both sides; sessions stay. `0` is told to the other broker, as its will would. */
  close(): void {
    const { options, dialect } = this.#context
    const remote = this.#remote
    if (!this.#isOver && remote !== undefined && options.notifications === true) {
      const { notificationTopic: topic } = options
      // DISCONNECT follows at once, in order: a broker that does not acknowledge is not waited for.
      remote.publish({ topic, payload: '0', retain: dialect.retain }).catch(() => undefined)
    }
    this.#isOver = true
    this.#local?.disconnect()
    this.#remote?.disconnect()
  }

  #lost(error: BridgeError): void {
    if (this.#isOver) return
    this.#isOver = true
    // Without DISCONNECT: what the two brokers have not acknowledged is repeated.
    this.#local?.fail(error.code, error.message)
    this.#remote?.fail(error.code, error.message)
    this.#context.ended(error)
  }

  #join(remote: Link, local: Link): void {
    const { options, guard, counters, dialect } = this.#context
    const { topics, maximumPacketSize, outgoingRetain } = options
    const out = new Relay({
      source: local,
      sink: remote,
      counters: counters.out,
      rename: topic => topics.toRemote(topic),
      isLoop: properties => guard?.hasPassed(properties) === true,
      added: guard?.own,
      maximumPacketSize,
      keepsRetain: outgoingRetain && dialect.retain,
      sinkIsOlder: remote.limits.sessionPresent && !local.limits.sessionPresent,
    })
    const into = new Relay({
      source: remote,
      sink: local,
      counters: counters.in,
      rename: topic => topics.toLocal(topic),
      isLoop: properties => guard?.hasPassedHere(properties) === true,
      added: undefined,
      maximumPacketSize: Infinity,
      keepsRetain: true,
      sinkIsOlder: local.limits.sessionPresent && !remote.limits.sessionPresent,
    })
    remote.start(receiverOf(into, out))
    local.start(receiverOf(out, into))
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

  #remoteConnect(): ConnectPacket {
    const { options, dialect } = this.#context
    const { clientId, clean, keepAlive, username, password, notifications, notificationTopic } = options
    const { version, bridgeBit, retain, maximumQos } = dialect
    const willQos = maximumQos === 0 ? 0 : 1
    return {
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      ...(bridgeBit && { bridgeMode: true }),
      clientId,
      clean,
      keepalive: keepAlive,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: Buffer.from(password) }),
      ...(notifications === true && { will: { topic: notificationTopic, payload: '0', qos: willQos, retain } }),
      ...(version === 5 && {
        properties: {
          receiveMaximum: options.receiveMaximum,
          ...(options.topicAliasMaximum > 0 && { topicAliasMaximum: options.topicAliasMaximum }),
          ...(!clean && options.sessionExpiryInterval > 0 && { sessionExpiryInterval: options.sessionExpiryInterval }),
        },
      }),
    }
  }

  #localConnect(receiveMaximum: number): ConnectPacket {
    const { localClientId: clientId, localClean: clean } = this.#context.options
    const sessionExpiryInterval = clean ? 0 : neverExpires
    return {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId,
      clean,
      keepalive: 0,
      properties: { receiveMaximum, sessionExpiryInterval },
    }
  }
}

/** What comes on a link belongs to the direction that it begins, or to the one that ends there. */
function receiverOf(begins: Relay, ends: Relay): LinkReceiver {
  return {
    publish: (frame, topic) => begins.publish(frame, topic),
    ack(kind: AckKind, messageId, reasonCode) {
      if (kind === 'pubrel') begins.release(messageId)
      else ends.acknowledged(kind, messageId, reasonCode)
    },
  }
}

function localTrouble(error: BridgeError): BridgeError {
  if (error.code !== 'BRIDGE_CONNECTION_LOST') return error
  return new BridgeError('BRIDGE_LOCAL_SESSION', `the session at this broker ended: ${error.message}`, { cause: error })
}
