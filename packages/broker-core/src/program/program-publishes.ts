import type { MaybePromise } from '@x/contract'
import { parseTopicName } from '@x/topic-trie'
import type { ClientConnection } from '../connect/client-connection.ts'
import { connectionOf } from '../connect/handled-stream.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import { after } from '../ground/maybe-promise.ts'
import type { Client } from '../hooks/client.ts'
import type { FaultReport, ProgramFaults } from '../hooks/program-faults.ts'
import { checkPublishRequest, publicationOf } from '../message/broker-packet.ts'
import type { PublishRequest } from '../message/broker-packet.ts'
import type { Publication } from '../message/publication.ts'

/** What it needs of the engine. */
interface PublishingEngine {
  readonly options: CheckedOptions
  readonly clock: { now(): number }
  readonly faults: ProgramFaults
  readonly publishing: {
    publish(publication: Publication, from: ClientConnection | undefined, failed: FaultReport): MaybePromise<void>
  }
  nextCounter(): number
}

/** The messages that the program publishes with `broker.publish`. */
export class ProgramPublishes {
  readonly #engine: PublishingEngine

  constructor(engine: PublishingEngine) {
    this.#engine = engine
  }

  /** Reads the packet now, since the program may change it afterwards, and publishes it in a microtask. Settles when all of it is done.
   * @throws BrokerError `PACKET_INVALID`; TopicError */
  add(packet: PublishRequest, client: Client | undefined): Promise<void> {
    const publication = this.#publicationOf(packet, client)
    return Promise.resolve().then(() => this.#publish(publication, client))
  }

  #publicationOf(packet: PublishRequest, client: Client | undefined): Publication {
    const { options, clock } = this.#engine
    checkPublishRequest(packet)
    parseTopicName(packet.topic, { maximumLevels: options.maxTopicLevels })
    return publicationOf(packet, {
      publisher: packet.clientId ?? client?.id ?? undefined,
      brokerId: packet.brokerId ?? options.id,
      brokerCounter: packet.brokerCounter ?? this.#engine.nextCounter(),
      now: clock.now(),
    })
  }

  #publish(publication: Publication, client: Client | undefined): MaybePromise<void> {
    const { publishing, faults } = this.#engine
    const failures: unknown[] = []
    const published = publishing.publish(publication, connectionOf(client?.conn), (code, what, error) => {
      // The caller gets the first error.
      if (failures.length > 0) faults.add(code, what, error)
      failures.push(error)
    })
    return after(published, () => {
      if (failures.length > 0) throw failures[0]
    })
  }
}
