/** Of keys and values; a release that changes them takes the next number and finds nothing of this one's. */
const schema = '1'

/** First part of the keys that all brokers share. */
export function routesBase(prefix: string): string {
  return `{${prefix}${schema}.rt}:`
}

/** First part of the keys of one broker's inbox. */
export function inboxBase(prefix: string, instance: string): string {
  return `{${prefix}${schema}.b:${instance}}:`
}
