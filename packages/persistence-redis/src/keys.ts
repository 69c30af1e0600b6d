import { RedisError } from '@x/redis-connection'

/** Of keys and values, and of what brokers tell each other. A release that changes them takes the next number: it refuses data of this one,
 * or rewrites them while no broker is there. */
export const schema = '2'

/** What every key of a store begins with: the same in each schema, so that releases meet there. Its hash tag makes every change atomic,
 * also in a cluster. */
export function baseOf(prefix: string): string {
  return `{${prefix}1.p0}:`
}

/** @param found the schema of the keys that begin like that
 * @throws RedisError `REDIS_SCHEMA_MISMATCH` */
export function checkSchema(base: string, found: string): void {
  if (found === schema) return
  throw new RedisError('REDIS_SCHEMA_MISMATCH', {
    message: `the data under ${base} are of schema ${found}, this release reads schema ${schema}: use the release that wrote them, or another prefix`,
  })
}
