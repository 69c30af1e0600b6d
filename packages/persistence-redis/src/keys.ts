import { RedisError } from '@x/redis-connection'

/** Of keys and values; a release that changes them takes the next number and finds nothing of this one's. */
export const schema = '1'

/** What every key of a store begins with. Its hash tag makes every change atomic, also in a cluster. */
export function baseOf(prefix: string): string {
  return `{${prefix}${schema}.p0}:`
}

/** @param found the schema of the keys that begin like that
 * @throws RedisError `REDIS_SCHEMA_MISMATCH` */
export function checkSchema(base: string, found: string): void {
  if (found === schema) return
  throw new RedisError('REDIS_SCHEMA_MISMATCH', {
    message: `the keys under ${base} are of schema ${found}, this release writes schema ${schema}`,
  })
}
