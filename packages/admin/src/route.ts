import type { Principal, Role } from './principal.ts'

/** A JSON Schema, draft 2020-12 as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** A request that is as its route's schemas say, from somebody who may send it. */
export interface Call {
  readonly parameters: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | number | undefined>>
  readonly body: Readonly<Record<string, unknown>>
  readonly principal: Principal
}

/** What a route returns in place of JSON. */
export class TextResponse {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** One way to ask for something. The documentation of the API is made of these. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Parameters as `:name`. */
  readonly path: string
  readonly role: Role
  readonly summary: string
  /** Schemas of single parameters in the path. */
  readonly parameters?: Readonly<Record<string, JsonSchema>>
  /** Schemas of single parameters behind the question mark. */
  readonly query?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly body?: JsonSchema
  readonly response: JsonSchema
  /** For routes that change something: what was done, for the log. */
  readonly audit?: (call: Call) => string
  readonly handle: (call: Call) => unknown
}

/** An object of which all properties are there, and no others. */
export function objectOf(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema {
  const required = Object.keys(properties).filter(name => !optional.includes(name))
  return { type: 'object', properties, required, additionalProperties: false }
}

/** A page of a list of such items. */
export function pageOf(item: JsonSchema): JsonSchema {
  return objectOf({ items: { type: 'array', items: item }, cursor: { type: ['string', 'null'] } })
}

/** Workers of the broker that did not answer, by their numbers. */
export const missingWorkers: JsonSchema = { type: 'array', items: { type: 'integer' } }

/** A page of a list of which each worker has a part. */
export function gatheredPageOf(item: JsonSchema): JsonSchema {
  return objectOf({
    items: { type: 'array', items: item },
    cursor: { type: ['string', 'null'] },
    missing: missingWorkers,
  })
}

/** Schemas that many routes have. */
export const schemas: Readonly<
  Record<
    'text' | 'count' | 'number' | 'flag' | 'clientId' | 'topic' | 'qos' | 'optionalText' | 'optionalNumber' | 'numbers',
    JsonSchema
  >
> = {
  text: { type: 'string' },
  count: { type: 'integer', minimum: 0 },
  number: { type: 'number' },
  flag: { type: 'boolean' },
  clientId: { type: 'string', minLength: 1, maxLength: 65_535 },
  topic: { type: 'string', minLength: 1, maxLength: 65_535 },
  qos: { type: 'integer', enum: [0, 1, 2] },
  optionalText: { type: ['string', 'null'] },
  optionalNumber: { type: ['number', 'null'] },
  /** Whatever is a number, by its name. */
  numbers: { type: 'object', additionalProperties: { type: 'number' } },
}

/** Parameters of every list. */
export const pageQuery: Readonly<Record<'limit' | 'cursor', JsonSchema>> = {
  limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100, description: 'items of a page' },
  cursor: { type: 'string', maxLength: 100, description: 'of the page before; without it the list begins' },
}
