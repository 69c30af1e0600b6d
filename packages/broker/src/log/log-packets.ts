import type { Broker, BrokerEvents } from '@x/broker-core'
import type { Logger } from '@x/contract'
import { shownIdentifier, shownTopic } from './shown-name.ts'

/** Filters of one packet that are named in its line. */
const mostFilters = 10

/** SUBACK. MQTT 3.1.1 §3.9.3 */
const denied = 128

/** Logs what clients subscribe to and publish: topic, QoS and size, never the payload. Only where somebody wants to see it, since
 * looking at single messages has the broker handle them one by one. Returns what ends it. */
export function logPackets(broker: Broker, logger: Logger): () => void {
  const subscribed = (...[subscriptions, { id }]: BrokerEvents['subscribe']): void => {
    const client = shownIdentifier(id)
    const filters = listed(subscriptions, ({ topic, qos }) =>
      (qos as number) === denied ? `${shownTopic(topic)} (denied)` : `${shownTopic(topic)} (QoS ${qos})`,
    )
    logger.debug({ client, filters: subscriptions.length }, `client ${client}: SUBSCRIBE ${filters}`)
  }
  const unsubscribed = (...[filters, { id, closed }]: BrokerEvents['unsubscribe']): void => {
    // A session that ends takes its subscriptions with it, without a packet.
    if (closed) return
    const client = shownIdentifier(id)
    logger.debug({ client, filters: filters.length }, `client ${client}: UNSUBSCRIBE ${listed(filters, shownTopic)}`)
  }
  const published = (...[{ topic, qos, retain, payload }, client]: BrokerEvents['publish']): void => {
    // The broker's own: heartbeats, and statistics.
    if (client === null) return
    const id = shownIdentifier(client.id)
    const bytes = Buffer.byteLength(payload)
    const flags = `QoS ${qos}${retain ? ', retain' : ''}, ${bytes} bytes`
    logger.debug({ client: id, qos, retain, bytes }, `client ${id}: PUBLISH ${shownTopic(topic)} (${flags})`)
  }
  broker.on('subscribe', subscribed).on('unsubscribe', unsubscribed).on('publish', published)
  return () => broker.off('subscribe', subscribed).off('unsubscribe', unsubscribed).off('publish', published)
}

function listed<Item>(items: readonly Item[], show: (item: Item) => string): string {
  const more = items.length - mostFilters
  return items.slice(0, mostFilters).map(show).join(', ') + (more > 0 ? `, and ${more} more` : '')
}
