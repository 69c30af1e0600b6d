import type { Host } from '../connect/client-connection.ts'
import type { BrokerPacket } from '../message/broker-packet.ts'
import { Publication } from '../message/publication.ts'
import type { Deadlined } from '../ground/deadline-wheel.ts'

/** Missed heartbeats after which another broker is forgotten. */
const missedHeartbeats = 3

/** Filters in one message about subscriptions, of which a client may have a hundred thousand. */
const toldAtATime = 1000

type News = 'birth' | 'heartbeat' | 'new/clients' | 'disconnect/clients' | 'new/subscribes' | 'new/unsubscribes'

/** News that brokers publish under `$SYS/<id>/`: that they are alive, and which clients come, go and subscribe. A message without
 * receivers is not created. */
export class Presence implements Deadlined {
  wheelTick = 0
  /** Time of the last heartbeat of each other broker, in ms since the epoch, by id. */
  readonly brokers: Record<string, number> = Object.create(null) as Record<string, number>
  readonly #engine: Host
  readonly #topics: Readonly<Record<News, string>>

  constructor(engine: Host) {
    this.#engine = engine
    const topicOf = (news: News): string => `$SYS/${engine.options.id}/${news}`
    this.#topics = {
      birth: topicOf('birth'),
      heartbeat: topicOf('heartbeat'),
      'new/clients': topicOf('new/clients'),
      'disconnect/clients': topicOf('disconnect/clients'),
      'new/subscribes': topicOf('new/subscribes'),
      'new/unsubscribes': topicOf('new/unsubscribes'),
    }
  }

  /** Announces this broker, now and then at each `heartbeatInterval`. */
  begin(): void {
    const { emitter, router, wheel, clock, options } = this.#engine
    if (emitter !== undefined) {
      const deliver = (packet: BrokerPacket): void => this.#heard(packet)
      for (const kind of ['heartbeat', 'birth']) {
        const filter = `$SYS/+/${kind}`
        this.#engine.own('ROUTE_FAILED', () => router.addProgramSubscriber(filter, { filter, deliver }))
      }
    }
    this.#tell('birth', options.id)
    wheel.schedule(this, clock.now() + options.heartbeatInterval)
  }

  /** The emitter has found that a broker came or left, earlier than its heartbeats tell. */
  seen(brokerId: string, present: boolean): void {
    if (!present) delete this.brokers[brokerId]
  }

  clientConnected(clientId: string): void {
    this.#tell('new/clients', clientId)
  }

  clientDisconnected(clientId: string): void {
    this.#tell('disconnect/clients', clientId)
  }

  /** `subscriptions` as in the event `subscribe`. */
  subscribed(clientId: string, subscriptions: () => readonly object[]): void {
    this.#tellAll('new/subscribes', clientId, subscriptions)
  }

  unsubscribed(clientId: string, filters: () => readonly string[]): void {
    this.#tellAll('new/unsubscribes', clientId, filters)
  }

  /** Publishes a list in several messages, in slices of long work. */
  #tellAll(news: News, clientId: string, list: () => readonly unknown[]): void {
    if (this.#concernsNobody(news)) {
      this.#engine.nextCounter()
      return
    }
    const subs = list()
    let begun = 0
    const step = (): boolean => {
      const some = subs.slice(begun, begun + toldAtATime)
      begun += toldAtATime
      this.#tell(news, JSON.stringify({ clientId, subs: some }))
      return begun < subs.length
    }
    void this.#engine.slices.run(step)
  }

  checkDeadlines(now: number): number {
    const { heartbeatInterval, id } = this.#engine.options
    this.#tell('heartbeat', id)
    for (const [brokerId, heardAt] of Object.entries(this.brokers)) {
      if (now - heardAt > missedHeartbeats * heartbeatInterval) delete this.brokers[brokerId]
    }
    return now + heartbeatInterval
  }

  #heard({ topic, brokerId }: BrokerPacket): void {
    const { id } = this.#engine.options
    const sender = topic.split('/')[1] ?? brokerId
    if (sender !== id) this.brokers[sender] = this.#engine.clock.now()
  }

  #concernsNobody(news: News): boolean {
    const { passThrough, router, emitter } = this.#engine
    const topic = this.#topics[news]
    return passThrough && router.plan(topic).size === 0 && emitter?.reaches(topic) !== true
  }

  #tell(news: News, text: string): void {
    const engine = this.#engine
    const topic = this.#topics[news]
    const brokerCounter = engine.nextCounter()
    if (this.#concernsNobody(news)) return
    const publication = new Publication(
      topic,
      { publisher: undefined, brokerId: engine.brokerId, brokerCounter, now: 0 },
      { payload: Buffer.from(text), qos: 0, retain: false, properties: undefined, expiresAt: undefined },
    )
    engine.own('PRESENCE_FAILED', () => engine.publishing.publish(publication, undefined))
  }
}
