import type { Group, GroupMember } from '../routing/receiver.ts'

/** The shared messages that one session claims, and the groups in which messages wait for its room. MQTT 5.0 §4.8.2 */
export class GroupClaims {
  /** Groups in which messages waited when no member had room; a group that was served goes to the end. */
  readonly #starved = new Set<Group>()
  /** Of a session without a stored queue: sequence of a message in the session to its sequence in the store. */
  #sequences: Map<number, number> | undefined
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

  /** Remembers where the store has a message. */
  remember(sequence: number, stored: number): void {
    this.#sequences ??= new Map()
    this.#sequences.set(sequence, stored)
  }

  /** Returns the sequence of a message in the store; undefined: it was not claimed. */
  storedSequence(sequence: number): number | undefined {
    return this.#sequences?.get(sequence)
  }

  forget(sequence: number): void {
    this.#sequences?.delete(sequence)
  }
}
