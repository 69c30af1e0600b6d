import type { Subscription } from '@x/contract'

/** The options of a subscription as Redis keeps them; the functions add the order of subscribing: `1,0,1,0,7`. */
export function encodeSubscription(subscription: Subscription): string {
  const { qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = subscription
  return `${qos},${noLocal ? 1 : 0},${retainAsPublished ? 1 : 0},${retainHandling},${subscriptionIdentifier ?? 0}`
}

/** Subscriptions in the order of subscribing, from fields and values. */
export function decodeSubscriptions(fields: readonly Buffer[]): Subscription[] {
  const found: { ordinal: number; subscription: Subscription }[] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const options = (fields[index + 1] as Buffer).toString('latin1').split(',').map(Number)
    const [qos, noLocal, retainAsPublished, retainHandling, identifier, ordinal = 0] = options
    found.push({
      ordinal,
      subscription: {
        filter: (fields[index] as Buffer).toString(),
        qos: qos as Subscription['qos'],
        noLocal: noLocal === 1,
        retainAsPublished: retainAsPublished === 1,
        retainHandling: retainHandling as Subscription['retainHandling'],
        subscriptionIdentifier: identifier === 0 ? undefined : identifier,
      },
    })
  }
  return found.sort((one, other) => one.ordinal - other.ordinal).map(({ subscription }) => subscription)
}
