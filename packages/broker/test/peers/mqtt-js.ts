import { connect, connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { clientEvent } from '../client-event.ts'
import { Inbox, versionNames } from './peer.ts'
import type { Peer, QoS, Received, Sent, Subscriber, Version } from './peer.ts'

/** MQTT.js, in this process. */
export class MqttJs implements Peer {
  readonly name: string
  readonly #options: IClientOptions

  constructor(version: Version) {
    this.name = `MQTT.js ${versionNames[version]}`
    this.#options = {
      protocolVersion: version,
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      reconnectPeriod: 0,
    }
  }

  async publish(url: string, { topic, payload, qos, retain = false }: Sent): Promise<void> {
    const client = await connectAsync(url, this.#options)
    await client.publishAsync(topic, payload, { qos, retain })
    await client.endAsync()
  }

  async subscribe(url: string, filter: string, qos: QoS): Promise<Subscriber> {
    const client = await connectAsync(url, this.#options)
    const subscriber = new MqttJsSubscriber(client)
    await client.subscribeAsync(filter, { qos })
    return subscriber
  }

  async openSession(url: string, clientId: string, filter: string): Promise<void> {
    const client = await connectAsync(url, this.#sessionOptions(clientId))
    await client.subscribeAsync(filter, { qos: 2 })
    await client.endAsync()
  }

  async resumeSession(url: string, clientId: string): Promise<Subscriber> {
    const client = connect(url, this.#sessionOptions(clientId))
    // Before CONNACK, so that nothing the broker sends right after it is missed.
    const subscriber = new MqttJsSubscriber(client)
    const [connack] = await clientEvent(client, 'connect')
    if (!connack.sessionPresent && this.#options.protocolVersion !== 3) throw new Error(`no session of ${clientId}`)
    return subscriber
  }

  async dieWithWill(url: string, { payload, retain = false, ...will }: Sent): Promise<void> {
    const client = await connectAsync(url, {
      ...this.#options,
      will: { ...will, payload: Buffer.from(payload), retain },
    })
    const closed = clientEvent(client, 'close')
    client.stream.destroy()
    await closed
  }

  #sessionOptions(clientId: string): IClientOptions {
    return {
      ...this.#options,
      clientId,
      clean: false,
      ...(this.#options.protocolVersion === 5 && { properties: { sessionExpiryInterval: 3600 } }),
    }
  }
}

class MqttJsSubscriber implements Subscriber {
  readonly #client: MqttClient
  readonly #inbox = new Inbox<Received>()

  constructor(client: MqttClient) {
    this.#client = client
    // Also when the test fails before it lets the client leave.
    onTestFinished(() => {
      client.end(true)
    })
    client.on('message', (topic, payload, { qos, retain }) => {
      this.#inbox.add({ topic, payload: payload.toString(), qos, retain })
    })
  }

  next(): Promise<Received> {
    return this.#inbox.next()
  }

  async leave(): Promise<void> {
    await this.#client.endAsync()
  }
}
