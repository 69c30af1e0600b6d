import { createBroker } from '@x/broker'
import type { AdminOptions, Broker, BrokerOptions } from '@x/broker'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'

export const keys: NonNullable<AdminOptions['keys']> = [
  { name: 'ann', role: 'admin', key: 'key of an admin, long' },
  { name: 'otto', role: 'operator', key: 'key of an operator, long' },
  { name: 'vera', role: 'viewer', key: 'key of a viewer, long' },
]

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** A broker with its API, on ports of its own; without the dashboard, which has to be built. */
export class StartedAdmin {
  readonly broker: Broker
  readonly mqttUrl: string

  private constructor(broker: Broker, mqttUrl: string) {
    this.broker = broker
    this.mqttUrl = mqttUrl
  }

  static async start(options: AdminOptions = {}, more: BrokerOptions = {}): Promise<StartedAdmin> {
    const broker = createBroker({ admin: { listen: { port: 0 }, keys, dashboard: false, ...options }, ...more })
    onTestFinished(() => broker.close())
    await broker.ready
    const { url } = await broker.listen({ port: 0, host: '127.0.0.1', name: 'main' })
    return new StartedAdmin(broker, url)
  }

  get url(): string {
    return this.broker.admin?.url ?? ''
  }

  async ask(method: string, path: string, body?: unknown, header?: string): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: header ?? 'Bearer key of an admin, long',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Readonly<Record<string, unknown>>,
    }
  }

  /** A client that is known to the broker. */
  async connect(options: IClientOptions = {}): Promise<MqttClient> {
    const client = await connectAsync(this.mqttUrl, { reconnectPeriod: 0, protocolVersion: 5, ...options })
    client.on('error', () => undefined)
    onTestFinished(() => client.endAsync(true))
    return client
  }
}
