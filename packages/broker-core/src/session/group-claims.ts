import type { QueueEntry } from '@x/contract'
import { forwarded } from '../hooks/authorize-forward.ts'
import type { Publication } from '../message/publication.ts'
import type { DeliveryManner } from './delivery-writer.ts'
import type { SessionHost } from './session-host.ts'
import type { Unacknowledged } from './unacknowledged.ts'
import type { Group, GroupMember, ReceiverConnection } from '../routing/receiver.ts'

/** The shared messages that one session claims, and the groups in which messages wait for its room. MQTT 5.0 §4.8.2 */
export class GroupClaims {
  /** Groups in which messages waited when no member had room; a group that was served goes to the end. */
  readonly #starved = new Set<Group>()
  /** Claims on their way; what they bring has its place in the window. */
  open = 0
  /** Highest sequence in the store of a claimed message. */
  claimedThrough = 0

  get hasStarved(): boolean {
    return this.#starved.size > 0
  }

  /** The group has messages that wait for the first member with room. */
  starves(group: Group): void {
    this.#starved.add(group)
  }

  /** Claims for the member what waits in its groups, as far as it has room. */
  feed(member: GroupMember): void {
    // As many as there are now: a group that is put to the end is not looked at again.
    let left = this.#starved.size
    for (const group of this.#starved) {
      if (left === 0 || !member.hasRoom) return
      left -= 1
      this.#starved.delete(group)
      if (group.roomFor(member)) this.#starved.add(group)
    }
  }
}

/** The session that has claimed a message. */
interface ClaimingSession {
  readonly connection: ReceiverConnection
  readonly engine: SessionHost
  readonly unacknowledged: Unacknowledged
  sendInflight(publication: Publication, manner: DeliveryManner, sequence: number): void
}

/** Sends a claimed message of QoS 1 or 2 to a session without a stored queue. */
export function sendClaimed(session: ClaimingSession, entry: QueueEntry): void {
  const { engine, unacknowledged } = session
  const publication = forwarded(engine, session.connection, engine.publications.of(entry.message))
  if (publication === undefined) {
    unacknowledged.settleLater(entry.sequence)
    return
  }
  const sequence = unacknowledged.nextSequence
  unacknowledged.remember(sequence, entry.sequence)
  const { qos, retain, subscriptionIdentifiers } = entry
  session.sendInflight(publication, { qos, retain, dup: false, subscriptionIdentifiers }, sequence)
}
