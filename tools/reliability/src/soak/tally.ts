import type { MqttStream } from './transport.ts'

/** What all clients together have counted; the broker must have counted the same. */
export class Tally {
  connections = 0
  accepted = 0
  readonly sent = { bytes: 0, packets: 0, publishes: 0 }
  readonly received = { bytes: 0, packets: 0, publishes: 0 }
  /** Messages that were sent to the one who receives all of them, and those that came to it. */
  sunk = 0
  arrived = 0
  /** By client identifier: how many connections of MQTT 5.0 their client has destroyed without a word. */
  readonly cuts: Map<string, number> = new Map()
  /** Lives of clients that went wrong, with the reason. */
  readonly failures: string[] = []

  addCut({ version, clientId }: { readonly version: number; readonly clientId: string }): void {
    if (version === 5) this.cuts.set(clientId, (this.cuts.get(clientId) ?? 0) + 1)
  }

  /** What a connection that has ended has carried. */
  add(stream: MqttStream): void {
    for (const way of ['sent', 'received'] as const) {
      for (const unit of ['bytes', 'packets', 'publishes'] as const) this[way][unit] += stream[way][unit]
    }
  }
}
