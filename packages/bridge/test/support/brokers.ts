import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from '@x/broker'
import type { Broker, BrokerOptions } from '@x/broker'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished } from 'vitest'
import { bridge } from '../../src/index.ts'
import type { Bridge, BridgeOptions } from '../../src/index.ts'
import { freePort } from '../../../../tools/testing/free-port.ts'

/** A broker and where it listens. */
export interface Place {
  readonly url: string
  readonly port: number
}

export interface OurPlace extends Place {
  readonly broker: Broker
  readonly errors: { readonly code?: string; readonly message: string }[]
}

export async function startBroker(options: BrokerOptions = {}, wishedPort = 0): Promise<OurPlace> {
  const broker = createBroker(options)
  onTestFinished(() => broker.close())
  const errors: OurPlace['errors'] = []
  broker.on('error', error => errors.push(error))
  const { port } = await broker.listen({ port: wishedPort, host: '127.0.0.1' })
  return { broker, errors, port: port ?? 0, url: `mqtt://127.0.0.1:${port}` }
}

/** The shortest waits, so that a test that cuts connections is quick. */
export const quick = { reconnectDelay: { least: 10, greatest: 50 } } as const

/** A broker with a bridge, once messages go through. */
export async function startBridge(
  options: Partial<BridgeOptions> & Pick<BridgeOptions, 'addresses' | 'topics'>,
  brokerOptions: BrokerOptions = {},
  { plugins = [] }: Pick<BrokerOptions, 'plugins'> = {},
): Promise<OurPlace & { readonly bridge: Bridge }> {
  const made = bridge({ name: 'house', ...quick, ...options })
  const connected = once(made, 'connected')
  const place = await startBroker({ ...brokerOptions, plugins: [made, ...plugins] })
  await connected
  return { ...place, bridge: made }
}

/** Debian's Mosquitto with these lines of configuration. */
export async function startMosquitto(
  lines: readonly string[] = [],
  port = 0,
): Promise<Place & { stop(): Promise<void> }> {
  const chosen = port === 0 ? await freePort() : port
  const directory = mkdtempSync(join(tmpdir(), 'bridge-'))
  const file = join(directory, 'mosquitto.conf')
  writeFileSync(file, [`listener ${chosen} 127.0.0.1`, 'allow_anonymous true', ...lines, ''].join('\n'))
  const process_ = spawn('mosquitto', ['-c', file], { stdio: 'ignore' })
  const stop = async (): Promise<void> => {
    if (process_.exitCode !== null || process_.signalCode !== null) return
    const exited = once(process_, 'exit')
    process_.kill()
    await exited
  }
  onTestFinished(async () => {
    await stop()
    rmSync(directory, { recursive: true })
  })
  await expect.poll(() => isOpen(chosen)).toBe(true)
  return { port: chosen, url: `mqtt://127.0.0.1:${chosen}`, stop }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

export interface Watcher {
  readonly client: MqttClient
  /** Each as `TOPIC PAYLOAD QOS RETAIN`. */
  readonly seen: string[]
}

/** A client that notes what it gets of the filters. */
export async function watch(url: string, filters: string | string[], options: IClientOptions = {}): Promise<Watcher> {
  const client = await connectAsync(url, { protocolVersion: 5, ...options })
  onTestFinished(() => client.endAsync(true))
  const seen: string[] = []
  client.on('message', (topic, payload, { qos, retain }) =>
    seen.push(`${topic} ${payload.toString()} ${qos} ${retain}`),
  )
  await client.subscribeAsync(filters, { qos: 2 })
  return { client, seen }
}

/** A way to a broker that can be cut and held. */
export interface Proxy extends Place {
  /** Ends all connections that go through it. */
  cut(): void
  /** Ends them, and takes none until `open`. */
  close(): void
  open(): void
  /** Lets nothing pass in either direction, and ends nothing. */
  stall(): void
  /** What was held back passes. */
  goOn(): void
}

export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let isOpenNow = true
  let isStalled = false
  const server = createServer(incoming => {
    if (!isOpenNow) return incoming.destroy()
    const outgoing = connect({ port: target, host: '127.0.0.1' })
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.on('data', chunk => {
        if (!other.write(chunk)) socket.pause()
      })
      other.on('drain', () => {
        if (!isStalled) socket.resume()
      })
      socket.on('end', () => other.end())
      if (isStalled) socket.pause()
    }
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    cut,
    close() {
      isOpenNow = false
      cut()
    },
    open() {
      isOpenNow = true
    },
    stall() {
      isStalled = true
      for (const socket of sockets) socket.pause()
    },
    goOn() {
      isStalled = false
      for (const socket of sockets) socket.resume()
    },
  }
}
