import type { Counters } from '@x/contract'

/** Returns counters that are all 0. */
export function createCounters(): Counters {
  return {
    connectionsOpened: 0,
    connectionsAccepted: 0,
    connectionsRefused: 0,
    clientsConnected: 0,
    sessionsExpired: 0,
    bytesReceived: 0,
    bytesSent: 0,
    packetsReceived: 0,
    publishesReceived: 0,
    publishesReceivedQoS1: 0,
    publishesReceivedQoS2: 0,
    publishBytesReceived: 0,
    publishesSent: 0,
    publishesSentQoS1: 0,
    publishesSentQoS2: 0,
    publishBytesSent: 0,
    controlPacketsSent: 0,
    droppedOutboxFull: 0,
    droppedQueueFull: 0,
    droppedExpired: 0,
    refusedSessions: 0,
    refusedPublishes: 0,
    droppedTooLarge: 0,
    malformedPackets: 0,
    turnsYielded: 0,
    pausesRefused: 0,
    readingRested: 0,
    loginsDelayed: 0,
    logLinesSummedUp: 0,
    errors: Object.create(null) as Record<string, number>,
    subscriptionsRefused: 0,
  }
}

/** Programs may give their errors any code; only this many different codes are counted. */
const mostCodes = 256

/** Counts an error by its code, if it has one. */
export function countError({ errors }: Counters, error: Error): void {
  // A stream of the program may fail with anything.
  const { code } = Object(error) as { code?: unknown }
  if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{0,63}$/.test(code)) return
  const counts = errors as Record<string, number>
  const count = counts[code]
  if (count !== undefined) counts[code] = count + 1
  else if (Object.keys(counts).length < mostCodes) counts[code] = 1
}
