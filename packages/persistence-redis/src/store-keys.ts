/** Of keys and values; a release that changes them takes the next number and finds nothing of this one's. */
export const schema = '1'

/** What every key of a store begins with. Its hash tag makes every change atomic, also in a cluster. */
export function baseOf(prefix: string): string {
  return `{${prefix}${schema}.p0}:`
}
