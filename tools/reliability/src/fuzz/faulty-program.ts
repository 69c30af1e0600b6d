import { protocolDecoder } from '@x/protocol-decoder'
import type { Broker, BrokerOptions } from '@x/broker'
import type { Answers, Behaviour, Done } from './behaviour.ts'
import { probeId } from './case.ts'
import { eventNames, hookNames } from './places.ts'
import type { HookName } from './places.ts'

type Values = readonly unknown[]

interface HookRow {
  /** Parameters without the callback. */
  readonly parameters: number
  readonly answers: (values: Values) => Answers
}

const refusal = (): Error => Object.assign(new Error('faulty: refused'), { reasonCode: 0x87, returnCode: 5 })
let challenges = 0

/** How each hook answers when it does what it should, denies, or answers something wrong. */
const hooks: Readonly<Record<HookName, HookRow>> = {
  decodeProtocol: {
    parameters: 2,
    answers: ([client, bytes]) => ({
      ok: () => protocolDecoder(client as never, bytes as never),
      deny: refusal,
      mangle: () => ({ data: 'no buffer', ipAddress: 7 }),
    }),
  },
  preConnect: { parameters: 2, answers: () => ({ ok: () => true, deny: () => false, mangle: () => 'true' }) },
  authenticate: { parameters: 3, answers: () => ({ ok: () => true, deny: () => false, mangle: () => 1 }) },
  authenticateEnhanced: {
    parameters: 2,
    answers: () => ({
      ok: () => (challenges++ % 2 === 0 ? { done: true } : { done: false, data: Buffer.from('challenge') }),
      deny: refusal,
      mangle: () => ({ done: 'yes', data: 'no buffer' }),
    }),
  },
  authorizePublish: {
    parameters: 2,
    answers: ([, packet]) => ({
      ok: () => undefined,
      deny: refusal,
      mangle: () => void Object.assign(packet as object, mangledPacket()),
    }),
  },
  authorizeSubscribe: {
    parameters: 2,
    answers: ([, subscription]) => ({
      ok: () => subscription,
      deny: () => null,
      mangle: () => ({ ...(subscription as object), topic: 'x#', qos: 7 }),
    }),
  },
  authorizeForward: {
    parameters: 2,
    answers: ([, packet]) => ({
      ok: () => packet,
      deny: () => null,
      mangle: () => ({ ...(packet as object), ...mangledPacket() }),
    }),
  },
  published: { parameters: 2, answers: () => ({ ok: () => undefined, deny: refusal }) },
}

let mangled = 0

/** A packet that is wrong in one of its fields. */
function mangledPacket(): object {
  const fields = [
    { topic: '' },
    { topic: 'f/#' },
    { topic: 'x'.repeat(70_000) },
    { payload: 7 },
    { payload: undefined },
    { qos: 9 },
    { retain: 'yes' },
    { properties: { userProperties: 5, contentType: 9 } },
    { properties: 'none' },
    { topic: undefined },
    { topic: 'f/other' },
    { payload: 'text' },
  ]
  return fields[mangled++ % fields.length] ?? {}
}

/** The client that a call is about: a parameter, or what a packet names. */
function clientIdOf(values: Values): unknown {
  for (const value of values) {
    if (typeof value !== 'object' || value === null) continue
    const { id, clientId } = value as { id?: unknown; clientId?: unknown }
    if (id === probeId || clientId === probeId) return probeId
  }
  return undefined
}

/** Hooks as options. Those that do what they should are not set, so that their absence is tried as well. */
export function faultyHooks(behaviour: Behaviour, back: (values: Values) => Partial<Answers>): BrokerOptions {
  const options: Record<string, unknown> = {}
  for (const name of hookNames) {
    const place = `hook.${name}`
    if (!behaviour.has(place)) continue
    const { parameters, answers } = hooks[name]
    const synchronous = name === 'decodeProtocol' || name === 'authorizeForward'
    const length = parameters + (!synchronous && behaviour.declaresCallback(place) ? 1 : 0)
    const hook = function hook(...values: unknown[]): unknown {
      const given = values.slice(0, parameters)
      const done = length > parameters ? (values[parameters] as Done) : undefined
      const full = { ...answers(given), ...back(given) }
      if (clientIdOf(given) === probeId) return done === undefined ? full.ok() : done(null, full.ok())
      return behaviour.act(place, full, done)
    }
    options[name] = Object.defineProperty(hook, 'length', { value: length })
  }
  return options
}

/** Listeners that misbehave. */
export function listenFaultily(broker: Broker, behaviour: Behaviour, back: (values: Values) => Partial<Answers>): void {
  for (const name of eventNames) {
    const place = `event.${name}`
    if (!behaviour.has(place)) continue
    broker.on(name, (...values: unknown[]) => behaviour.act(place, { ok: () => undefined, ...back(values) }))
  }
}

/** Functions of the program that receive messages and misbehave. */
export async function subscribeFaultily(
  broker: Broker,
  behaviour: Behaviour,
  back: (values: Values) => Partial<Answers>,
): Promise<void> {
  for (const filter of ['f/#', 'f/a', '+/a']) {
    const place = `subscriber.${filter}`
    if (!behaviour.has(place)) continue
    const withCallback = (packet: unknown, done: () => void): unknown =>
      behaviour.act(place, { ok: () => undefined, ...back([packet]) }, done)
    const withPromise = (packet: unknown): unknown => behaviour.act(place, { ok: () => undefined, ...back([packet]) })
    await broker.subscribe(filter, behaviour.declaresCallback(place) ? withCallback : withPromise)
  }
}

/** The parts of the program that are not hooks: a plugin and a logger. */
export function faultyParts(behaviour: Behaviour): BrokerOptions {
  const options: Record<string, unknown> = {}
  if (behaviour.has('plugin.attach') || behaviour.has('plugin.detach')) {
    const detach = (): unknown => behaviour.act('plugin.detach', { ok: () => undefined })
    const attach = (): unknown => behaviour.act('plugin.attach', { ok: () => detach })
    options['plugins'] = [{ name: 'faulty', attach }]
  }
  if (['info', 'warn', 'error', 'isLevelEnabled'].some(name => behaviour.has(`log.${name}`))) {
    const log = (name: string) => (): unknown => behaviour.act(`log.${name}`, { ok: () => true })
    options['logger'] = {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      isLevelEnabled: log('isLevelEnabled'),
    }
  }
  return options
}
