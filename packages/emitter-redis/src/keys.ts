/** Of keys, of values, and of what brokers say to each other. Brokers of two schemas don't run side by side: the one that comes later is
 * refused. A release that changes any of these takes the next number. */
export const schema = '2'

/** First part of the keys that all brokers share: the same in each schema, so that releases meet there. */
export function routesBase(prefix: string): string {
  return `{${prefix}1.rt}:`
}

/** First part of the keys of one broker's inbox. */
export function inboxBase(prefix: string, instance: string): string {
  return `{${prefix}1.b:${instance}}:`
}
