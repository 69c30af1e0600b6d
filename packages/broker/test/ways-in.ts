import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import type { NetConnectOpts, Socket } from 'node:net'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { Broker, BrokerOptions, Client, ConnectionOrigin, ListenOptions, Listening } from '../src/index.ts'

export interface Way {
  readonly broker: Broker
  readonly listening: Listening
  readonly port: number
  /** What never became a client, and why. */
  readonly refusals: { readonly code: string; readonly message: string; readonly origin: ConnectionOrigin }[]
}

/** A broker that listens on a free port of this machine. */
export async function openWay(options: ListenOptions = {}, brokerOptions: BrokerOptions = {}): Promise<Way> {
  const broker = createBroker(brokerOptions)
  onTestFinished(() => broker.close())
  const refusals: Way['refusals'] = []
  broker.on('connectionRefused', (error, origin) => {
    refusals.push({ code: String(Reflect.get(error, 'code')), message: error.message, origin })
  })
  const place = options.socketPath === undefined ? { port: 0, host: '127.0.0.1' } : {}
  const listening = await broker.listen({ ...place, ...options })
  return { broker, listening, port: listening.port ?? 0, refusals }
}

/** The broker's client that comes next. */
export async function nextClient(broker: Broker): Promise<Client> {
  const [client] = (await once(broker, 'clientReady')) as [Client]
  return client
}

/** Connects, gets a message of its own back, and stays. */
export async function exchange(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, ...options }, false)
  onTestFinished(() => client.endAsync(true))
  const topic = `echo/${client.options.clientId}`
  const echoed = new Promise<string>(resolve => {
    client.once('message', (_topic, payload) => resolve(payload.toString()))
  })
  await client.subscribeAsync(topic, { qos: 1 })
  await client.publishAsync(topic, 'hello', { qos: 1 })
  if ((await echoed) !== 'hello') throw new Error('another message came back')
  return client
}

export function openSocket(options: NetConnectOpts): Socket {
  const socket = connectSocket(options)
  socket.on('error', () => undefined)
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

/** CONNECT of MQTT 3.1.1, clean session, keep alive 60 s. */
export function connectFrame(id: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x10, 12 + id.length, 0, 4]),
    Buffer.from('MQTT'),
    Buffer.from([4, 2, 0, 60, 0, id.length]),
    Buffer.from(id),
  ])
}

export const connackFrame: Buffer = Buffer.from([0x20, 2, 0, 0])

/** Everything until the other side ends. It may end with a reset: the system sends one when bytes come that nobody will read. */
export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  await new Promise(resolve => socket.once('close', resolve))
  return text
}
