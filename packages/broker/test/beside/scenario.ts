import type { IConnectPacket, Packet } from 'mqtt-packet'
import { onTestFinished } from 'vitest'
import type { Beside, Files } from './brokers.ts'
import { WireClient } from './wire-client.ts'

type QoS = 0 | 1 | 2

/** Something that a client of a scenario does, and then everybody has all that comes of it. */
export type Step =
  | { readonly does: 'connect'; readonly who: string; readonly with: Partial<IConnectPacket>; readonly to: string }
  | { readonly does: 'send'; readonly who: string; readonly packet: Packet }
  | { readonly does: 'leave'; readonly who: string; readonly reasonCode: number }
  | { readonly does: 'hold' | 'release'; readonly who: string }
  | { readonly does: 'reload'; readonly change: Files }

/** CONNECT, with the client's name as its identifier unless another one is given. */
export function enter(who: string, options: Partial<IConnectPacket> & { readonly to?: string } = {}): Step {
  const { to = 'main', ...others } = options
  return { does: 'connect', who, to, with: { clientId: who, ...others } }
}

/** User name and password for `enter`. */
export function as(username: string, password = username): Pick<IConnectPacket, 'username' | 'password'> {
  return { username, password: Buffer.from(password) }
}

export function subscribe(who: string, topic: string, qos: QoS = 0): Step {
  return { does: 'send', who, packet: { cmd: 'subscribe', subscriptions: [{ topic, qos }] } as Packet }
}

export function unsubscribe(who: string, topic: string): Step {
  return { does: 'send', who, packet: { cmd: 'unsubscribe', unsubscriptions: [topic] } as Packet }
}

export function publish(
  who: string,
  topic: string,
  {
    payload = 'x',
    qos = 1,
    retain = false,
    alias,
  }: { payload?: string; qos?: QoS; retain?: boolean; alias?: number } = {},
): Step {
  const properties = alias === undefined ? {} : { properties: { topicAlias: alias } }
  return { does: 'send', who, packet: { cmd: 'publish', topic, payload, qos, retain, dup: false, ...properties } }
}

/** DISCONNECT; 4 asks for the will. */
export function leave(who: string, reasonCode: 0 | 4 = 0): Step {
  return { does: 'leave', who, reasonCode }
}

export const hold = (who: string): Step => ({ does: 'hold', who })
export const release = (who: string): Step => ({ does: 'release', who })
export const reload = (change: Files): Step => ({ does: 'reload', change })

/** A will for `enter`. */
export function will(
  topic: string,
  more: { payload?: string; qos?: QoS; retain?: boolean } = {},
): Partial<IConnectPacket> {
  const { payload = 'bye', qos = 0, retain = false } = more
  return { will: { topic, payload: Buffer.from(payload), qos, retain } }
}

/** What each step has brought, and to whom. */
export async function play(broker: Beside, version: 3 | 4 | 5, steps: readonly Step[]): Promise<string[]> {
  const clients = new Map<string, WireClient>()
  onTestFinished(() => clients.forEach(client => client.end()))
  const lines: string[] = []
  for (const [index, step] of steps.entries()) {
    await take(broker, { version, clients }, step)
    await settle([...clients.values()])
    for (const [who, client] of clients) {
      const events = client.take()
      const what = step.does === 'reload' ? step.does : `${step.does} ${step.who}`
      if (events.length > 0) lines.push(`${index} ${what} → ${who}: ${events.join('; ')}`)
    }
  }
  return lines
}

interface Cast {
  readonly version: 3 | 4 | 5
  readonly clients: Map<string, WireClient>
}

async function take(broker: Beside, { version, clients }: Cast, step: Step): Promise<void> {
  if (step.does === 'reload') return broker.reload(step.change)
  if (step.does === 'connect') {
    // A second client of this name takes the place of the first, which is told of and then forgotten.
    const client = new WireClient(broker.socketOf(step.to), version)
    clients.set(clients.has(step.who) ? `${step.who} again` : step.who, client)
    return client.connect(step.with)
  }
  const client = clients.get(`${step.who} again`) ?? clients.get(step.who)
  if (client === undefined) throw new Error(`nobody is called ${step.who}`)
  if (step.does === 'send') return client.send(step.packet)
  if (step.does === 'leave') return client.leave(step.reasonCode)
  if (step.does === 'hold') client.hold()
  else client.release()
}

/** Everybody is asked until nothing more comes of what has come: acknowledgements have made room for further messages. */
export async function settle(clients: readonly WireClient[]): Promise<void> {
  let before: number
  do {
    before = count(clients)
    for (let round = 0; round < 2; round += 1) for (const client of clients) await client.ping()
  } while (count(clients) !== before)
}

function count(clients: readonly WireClient[]): number {
  return clients.reduce((sum, client) => sum + client.eventCount, 0)
}
