import type { IPublishPacket } from 'mqtt-packet'

/** A message that came, and when. */
export interface ReceivedMessage {
  readonly packet: IPublishPacket
  readonly payload: Buffer
  /** ms since the epoch, with what is behind the comma. */
  readonly receivedAt: number
}
