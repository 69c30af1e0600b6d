import type { Duplex } from 'node:stream'
import type { Phase } from './connection-host.ts'
import { ReadHold } from './read-hold.ts'

/** The connection whose stream has ended. */
interface EndedConnection {
  readonly phase: Phase
  readonly deadlines: { awaitClose(): void }
}

/** What is left to read of it. */
interface LastReading {
  readonly holdsPackets: boolean
  isHeldFor(reason: number): boolean
}

/** What has become of a stream: its peer has ended its side, or the stream is gone. */
export class StreamEnd {
  kind: 'ended' | 'closed'
  error: Error | undefined
  /** It waits for packets that came before it and are held up, by a hook or the store for example. */
  isPutOff = false

  constructor(kind: 'ended' | 'closed', error?: Error) {
    this.kind = kind
    this.error = error
  }

  /** The stream ends once more: the first error and the later state count. */
  merge({ kind, error }: StreamEnd): void {
    if (kind === 'closed') this.kind = kind
    this.error ??= error
  }

  /** Whether the end waits, for at most `closeTimeout`: DISCONNECT may be among the packets that are held up. */
  waits({ phase, deadlines }: EndedConnection, reading: LastReading): boolean {
    if (phase !== 'connected' || !reading.holdsPackets) return false
    if (!this.isPutOff) deadlines.awaitClose()
    this.isPutOff = true
    return true
  }

  /** Whether it was put off, and takes effect now. */
  hasWaited(reading: LastReading): boolean {
    if (!this.isPutOff || reading.holdsPackets) return false
    this.isPutOff = false
    return !reading.isHeldFor(ReadHold.turn)
  }
}

/** Whether the peer has ended its side. While bytes before that are unread, no event says so, and Node.js has no other property. */
export function hasUnreadEnd(stream: Duplex): boolean {
  const { _readableState: state } = stream as Duplex & { readonly _readableState?: { readonly ended: boolean } }
  return state?.ended === true
}
