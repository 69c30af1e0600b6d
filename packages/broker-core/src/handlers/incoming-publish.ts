import type { ClientConnection } from '../connect/client-connection.ts'
import type { Publication } from '../message/publication.ts'
import type { Session } from '../session/session.ts'

/** A PUBLISH on its way from the client to the acknowledgement. `qos` and `messageId` are those of the packet, even if a hook changes the
 * message: the acknowledgement depends on them. */
export interface IncomingPublish {
  readonly connection: ClientConnection
  readonly session: Session
  readonly publication: Publication
  readonly messageId: number
  readonly qos: number
}
