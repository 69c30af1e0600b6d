import { once } from 'node:events'
import { MqttClient } from 'mqtt'
import { MqttStream } from './transport.ts'
import { sessionExpiry } from './visitor.ts'
import type { Visit, Visitor } from './visitor.ts'

/** A client of MQTT.js. */
export class MqttjsVisitor implements Visitor {
  readonly #visit: Visit
  readonly #client: MqttClient
  readonly #stream: MqttStream
  #failure: Error | undefined

  constructor(visit: Visit) {
    this.#visit = visit
    const { version, clientId, cleanStart, tally } = visit
    tally.connections += 1
    this.#stream = new MqttStream(visit.transport, visit.ways)
    this.#client = new MqttClient(() => this.#stream, {
      clientId,
      clean: cleanStart,
      protocolVersion: version,
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      reconnectPeriod: 0,
      keepalive: 0,
      ...(version === 5 && { properties: { sessionExpiryInterval: cleanStart ? 0 : sessionExpiry } }),
    })
    this.#client.on('error', error => {
      this.#failure = error
    })
  }

  get received(): number {
    return this.#stream.received.publishes
  }

  get receivedPackets(): number {
    return this.#stream.received.packets
  }

  async connect(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#client.once('connect', () => resolve())
      this.#client.once('close', () => resolve())
    })
    if (this.#failure !== undefined || !this.#client.connected) throw this.#failure ?? new Error('was not let in')
    this.#visit.tally.accepted += 1
  }

  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    await this.#client.subscribeAsync(filter, { qos })
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.#client.unsubscribeAsync(filter)
  }

  async publish(topic: string, payload: Buffer, qos: 0 | 1 | 2): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos })
  }

  async leave(how: 'disconnect' | 'cut'): Promise<void> {
    const closed = this.#stream.closed ? undefined : once(this.#stream, 'close')
    if (how === 'disconnect') await this.#client.endAsync()
    else {
      this.#visit.tally.addCut(this.#visit)
      this.#stream.destroy()
      await this.#client.endAsync(true)
    }
    await closed
    this.#visit.tally.add(this.#stream)
  }
}
