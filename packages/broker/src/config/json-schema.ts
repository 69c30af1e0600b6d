import { z } from 'zod'
import { configSchema } from './schema.ts'

/** As much of a JSON Schema as ours has. */
export interface JsonSchema {
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly additionalProperties?: JsonSchema | boolean
  /** The value is a secret. */
  readonly writeOnly?: boolean
  readonly anyOf?: readonly JsonSchema[]
}

/** What a file may say, for editors and for the tables of the documentation. */
export function jsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema
}

/** What a value may be, in words. */
export function valuesOf(node: JsonSchema): string {
  if (node.enum !== undefined) return node.enum.map(value => `\`${String(value)}\``).join(', ')
  if (node.anyOf !== undefined) return node.anyOf.map(valuesOf).join(' or ')
  if (node.type === 'integer' || node.type === 'number') return `${node.minimum} to ${node.maximum}`
  if (node.type === 'array' && node.items?.enum !== undefined) return `list of ${valuesOf(node.items)}`
  if (node.type === 'array') return node.items?.properties === undefined ? 'list of texts' : 'list of sections'
  if (node.type === 'object') return 'lists of texts by name'
  return node.type === 'boolean' ? '`true`, `false`' : 'text'
}
