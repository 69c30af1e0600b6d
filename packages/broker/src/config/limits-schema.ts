import { brokerOptionTable } from '@x/broker-core'
import type { BrokerLimits } from '@x/broker-core'
import { z } from 'zod'

/** Options of the engine that a file can't give: functions, parts, and what has a place of its own in the configuration. */
const elsewhere: ReadonlySet<string> = new Set([
  'decodeProtocol',
  'preConnect',
  'authenticate',
  'authenticateEnhanced',
  'authorizePublish',
  'authorizeSubscribe',
  'authorizeForward',
  'published',
  'topicAccess',
  'controlEndpoints',
  'persistence',
  'emitter',
  'mq',
  'clock',
  'plugins',
  'responseInformation',
  'id',
  'trustProxy',
  'trustedProxies',
])

/** Every limit of the engine, with the range that the engine itself has for it. */
export function limitsSchema(): z.ZodType<Partial<BrokerLimits>> {
  const shape: Record<string, z.ZodType> = {}
  for (const [name, { text }] of Object.entries(brokerOptionTable)) {
    if (!elsewhere.has(name)) shape[name] = ruleSchema(text).optional()
  }
  return z.strictObject(shape) as z.ZodType<Partial<BrokerLimits>>
}

/** The engine's rule as a schema: it says in words what the value may be, and these words are all of the rule. */
function ruleSchema(text: string): z.ZodType {
  const range = /^a whole number from (\d+) to (\d+)$/.exec(text)
  if (range !== null) return z.int().min(Number(range[1])).max(Number(range[2]))
  if (text === 'true or false') return z.boolean()
  const [first, ...others] = [...text.matchAll(/'([^']+)'/g)].map(([, word = '']) => word)
  if (first === undefined) throw new TypeError(`a rule of the engine is neither a range nor a list: ${text}`)
  return z.enum([first, ...others])
}
