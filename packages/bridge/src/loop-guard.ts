/** Name of the user property by which brokers say that a message has come through them: one for each bridge that it has passed. */
export const pathProperty = 'bridge-path'

const userProperty = 0x26

/** Keeps messages from going in circles through bridges of MQTT 5.0: each that leaves carries the identifiers of the brokers that it has
 * left, and is not taken back by one of them. */
export class LoopGuard {
  /** The property in wire form, as a message from this broker carries it. */
  readonly own: Buffer
  readonly #remote: Buffer | undefined

  /** @param remoteId the identifier of the broker at the other end, where it is known: what has passed it already is not sent
   * there again */
  constructor(brokerId: string, remoteId: string | undefined) {
    this.own = encodePath(brokerId)
    this.#remote = remoteId === undefined ? undefined : encodePath(remoteId)
  }

  /** The message has left this broker before. */
  hasPassedHere(properties: Buffer): boolean {
    return properties.length > 0 && properties.includes(this.own)
  }

  /** The broker at the other end has had it, or this one. */
  hasPassed(properties: Buffer): boolean {
    return (
      this.hasPassedHere(properties) ||
      (this.#remote !== undefined && properties.length > 0 && properties.includes(this.#remote))
    )
  }
}

function encodePath(brokerId: string): Buffer {
  return Buffer.concat([Buffer.of(userProperty), text(pathProperty), text(brokerId)])
}

/** A string as MQTT writes it, behind its length. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
