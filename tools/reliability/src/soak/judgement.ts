import type { Look, SoakResult } from './run.ts'
import type { Scraped } from './scrape.ts'
import type { Tally } from './tally.ts'

/** Bytes that the heap and the process may grow from the first fifth of the time to the last. */
const heapGrowth = 8 * 1024 * 1024
const residentGrowth = 48 * 1024 * 1024

/** What is not as it should be, in words; empty: nothing. */
export function judge(result: SoakResult): readonly string[] {
  const { tally, last } = result
  return [
    ...unequal(result),
    ...growth(result),
    ...unheard(result),
    ...tally.failures.slice(0, 10).map(reason => `a client failed: ${reason}`),
    ...last.failures.slice(0, 10).map(reason => `the broker told of a failure: ${reason}`),
  ]
}

/** Bytes of DISCONNECT with Reason Code 0x8E. */
const takeOverBytes = 3

/** When a client has destroyed its connection, and its next one reaches the broker before the end of the first does, the broker tells
 * the first that it was taken over. Nobody is there to count that. */
function unheard({ tally, last }: SoakResult): readonly string[] {
  const left = new Map(tally.cuts)
  return last.toldOfTakeOver.flatMap(clientId => {
    const cuts = left.get(clientId) ?? 0
    left.set(clientId, cuts - 1)
    return cuts > 0 ? [] : [`${clientId} was taken over, and had not been cut`]
  })
}

function unequal({ tally, last, statistics, scraped }: SoakResult): readonly string[] {
  const { counters, counts } = last
  const { packets, bytes } = tally.received
  const received = {
    packets: packets + last.toldOfTakeOver.length,
    bytes: bytes + last.toldOfTakeOver.length * takeOverBytes,
  }
  const statistic = (name: string): number => Number.parseInt(statistics.get(name) ?? 'NaN', 10)
  const pairs: readonly (readonly [string, number, number])[] = [
    ['connections opened', counters.connectionsOpened, tally.connections],
    ['connections accepted', counters.connectionsAccepted, tally.accepted],
    ['PUBLISH packets received', counters.publishesReceived, tally.sent.publishes],
    ['PUBLISH packets sent', counters.publishesSent, tally.received.publishes],
    ['packets received', counters.packetsReceived, tally.sent.packets],
    ['packets sent', counters.publishesSent + counters.controlPacketsSent, received.packets],
    ['bytes received', counters.bytesReceived, tally.sent.bytes],
    ['bytes sent', counters.bytesSent, received.bytes],
    ['messages at the one who receives all', tally.arrived, tally.sunk],
    ['clients connected', counters.clientsConnected, 0],
    ['sessions', counts.sessions, 0],
    ['subscriptions', counts.subscriptions, 0],
    ['messages queued', counts.queuedMessages, 0],
    ['messages dropped', counters.droppedOutboxFull + counters.droppedQueueFull + counters.droppedExpired, 0],
    ['$SYS publish/messages/received', statistic('publish/messages/received'), tally.sent.publishes],
    ['$SYS publish/messages/sent', statistic('publish/messages/sent'), tally.received.publishes],
    ['$SYS messages/received', statistic('messages/received'), tally.sent.packets],
    ['$SYS messages/sent', statistic('messages/sent'), received.packets],
    ['$SYS bytes/received', statistic('bytes/received'), tally.sent.bytes],
    ['$SYS bytes/sent', statistic('bytes/sent'), received.bytes],
    ['$SYS clients/connected', statistic('clients/connected'), 0],
    ['$SYS clients/total', statistic('clients/total'), 0],
    ['$SYS subscriptions/count', statistic('subscriptions/count'), 0],
    ...scrapedPairs(scraped, tally, received),
  ]
  return pairs
    .filter(([, broker, clients]) => broker !== clients)
    .map(([what, broker, clients]) => `${what}: the broker has counted ${broker}, the clients ${clients}`)
}

/** The same figures as Prometheus has them. */
function scrapedPairs(
  { sum }: Scraped,
  { connections, accepted, sent, received }: Tally,
  { packets, bytes }: { readonly packets: number; readonly bytes: number },
): readonly (readonly [string, number, number])[] {
  const counted = {
    mqtt_connections_opened_total: connections,
    mqtt_connections_accepted_total: accepted,
    mqtt_publishes_received_total: sent.publishes,
    mqtt_publishes_sent_total: received.publishes,
    mqtt_packets_received_total: sent.packets,
    mqtt_packets_sent_total: packets,
    mqtt_received_bytes_total: sent.bytes,
    mqtt_sent_bytes_total: bytes,
    mqtt_messages_dropped_total: 0,
    mqtt_clients_connected: 0,
    mqtt_sessions_stored: 0,
    mqtt_sessions_disconnected: 0,
    mqtt_subscriptions: 0,
    mqtt_queued_messages: 0,
  }
  return Object.entries(counted).map(([name, value]) => [name, sum(name), value])
}

function growth({ first, between, last }: SoakResult): readonly string[] {
  const found: string[] = []
  const fifth = Math.max(1, Math.floor(between.length / 5))
  const [early, late] = [between.slice(0, fifth), between.slice(-fifth)]
  const heap = median(late, 'heapUsed') - median(early, 'heapUsed')
  const resident = median(late, 'rss') - median(early, 'rss')
  if (heap > heapGrowth) found.push(`the heap has grown by ${heap} bytes`)
  if (resident > residentGrowth) found.push(`the process has grown by ${resident} bytes`)
  if (last.handles > first.handles)
    found.push(`${last.handles} handles are open at the end, ${first.handles} were at first`)
  return found
}

export function median(looks: readonly Look[], name: 'heapUsed' | 'rss' | 'handles'): number {
  const values = looks.map(seen => seen[name]).sort((one, other) => one - other)
  return values[Math.floor(values.length / 2)] ?? 0
}
