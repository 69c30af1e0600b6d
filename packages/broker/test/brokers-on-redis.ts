import { spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import mqtt from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { clientEvent } from './client-event.ts'
import { createBroker } from '../src/index.ts'
import type { Broker, BrokerOptions } from '../src/index.ts'
import { anyPort, listeningUrl, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

/** A session that outlives its connection. */
export const persistent: IClientOptions = {
  protocolVersion: 5,
  clean: false,
  properties: { sessionExpiryInterval: 1000 },
}
export async function redisServer(...parameters: string[]): Promise<SpawnedRedis> {
  const server = await spawnRedis(parameters)
  onTestFinished(async () => server.stop())
  return server
}

export interface Served {
  readonly broker: Broker
  readonly url: string
  /** Codes of what the broker has reported. */
  readonly errors: string[]
}

/** A broker of this process on a Redis (or on the options given). */
export async function serve(options: NonNullable<BrokerOptions['redis']>, more: BrokerOptions = {}): Promise<Served> {
  const broker = createBroker({ redis: options, ...more })
  const errors: string[] = []
  broker.on('error', (error: Error & { code?: string }) => void errors.push(String(error.code)))
  onTestFinished(async () => broker.close())
  const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
  await broker.ready
  return { broker, url, errors }
}

export async function command(redis: SpawnedRedis): Promise<{ process: StartedProcess; url: string }> {
  const started = startCommand([...anyPort, '--redis', redis.url])
  onTestFinished(async () => started.stop())
  return { process: started, url: await listeningUrl(started) }
}

export function client(url: string, options: IClientOptions = {}): MqttClient {
  const made = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 5, ...options })
  made.on('error', () => undefined)
  onTestFinished(async () => made.endAsync(true))
  return made
}

export async function connected(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const made = client(url, options)
  await clientEvent(made, 'connect')
  return made
}

/** The payloads that arrive, as text, from now on. */
export function collect(receiver: MqttClient): string[] {
  const payloads: string[] = []
  receiver.on('message', (_, payload) => void payloads.push(payload.toString()))
  return payloads
}

export async function dies(receiver: MqttClient): Promise<void> {
  const closed = clientEvent(receiver, 'close')
  receiver.end(true)
  await closed
}
