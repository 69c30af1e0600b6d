import type { Counters } from '@x/contract'

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
    publishesSent: 0,
    controlPacketsSent: 0,
    droppedOutboxFull: 0,
    droppedQueueFull: 0,
    droppedExpired: 0,
    droppedTooLarge: 0,
    malformedPackets: 0,
  }
}
