import type { Reception } from '@x/contract'
import type { Connection } from '../connection/connection.ts'
import type { Publication } from '../message/publication.ts'
import type { Receiver } from './receiver.ts'
import type { Target } from './router.ts'

/** Sends a message to connected sessions, except QoS 1 and 2 to sessions with a stored queue, which the store delivers. `from`, the
 * publisher's connection, is paused for receivers that can't keep up. */
export function fanOut(targets: readonly Target[], publication: Publication, from: Connection | undefined): void {
  const { publisher } = publication
  for (const target of targets) {
    const { session } = target
    const reception = target.session.clientId === publisher ? target.own : target
    if (reception === undefined) continue
    if (from !== undefined && session.isBackedUp && isTurnedAway(from, session, publication, reception)) continue
    try {
      deliverTo(target, reception, publication)
    } catch (error) {
      // An error of this receiver affects neither the publisher nor the other receivers.
      session.connection.fail(error)
    }
  }
}

/** Pauses the publisher for a receiver that can't keep up. True: the publisher has waited enough, so the message is dropped at QoS 0. */
function isTurnedAway(from: Connection, session: Receiver, { qos }: Publication, reception: Reception): boolean {
  if (from.slowDownFor(session.connection) || !session.outbox.full || (qos > 0 && reception.qos > 0)) return false
  session.connection.engine.counters.droppedOutboxFull += 1
  return true
}

function deliverTo(target: Target, reception: Reception, publication: Publication): void {
  const { session } = target
  const qos = publication.qos < reception.qos ? publication.qos : reception.qos
  if (qos > 0 && session.stored) return
  const retain = reception.retainAsPublished && publication.retain
  session.send(publication, qos, retain, reception.subscriptionIdentifiers)
}
