import { jsonSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Config } from './schema.ts'

const hidden = '(hidden)'

/** Name and password in a URL. */
const userInfo = /^([a-z][a-z\d+.-]*:\/\/[^/?#@]*?:)[^/?#@]*@/i

/** The configuration with its passwords and keys replaced by a word. A value is one where the schema says `writeOnly`; in every URL the
 * password is one. Names of files are shown. */
export function withoutSecrets(config: Config): Config {
  return replaced(config, [jsonSchema()]) as Config
}

/** @param schemas - those that may describe the value */
function replaced(value: unknown, schemas: readonly JsonSchema[]): unknown {
  const described = schemas.flatMap(schema => [schema, ...(schema.anyOf ?? [])])
  if (described.some(({ writeOnly }) => writeOnly === true)) return hidden
  if (typeof value === 'string') return value.replace(userInfo, `$1${hidden}@`)
  if (Array.isArray(value)) {
    const items = described.flatMap(({ items: one }) => (one === undefined ? [] : [one]))
    return value.map(one => replaced(one, items))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, replaced(one, fieldsNamed(described, name))]),
  )
}

function fieldsNamed(schemas: readonly JsonSchema[], name: string): readonly JsonSchema[] {
  return schemas.flatMap(({ properties = {}, additionalProperties: others }) => {
    const field = Object.hasOwn(properties, name) ? properties[name] : others
    return typeof field === 'object' ? [field] : []
  })
}
