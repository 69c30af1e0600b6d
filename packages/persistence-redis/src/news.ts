/** What one broker is told by the functions that others call; each with a number that ascends by one. */
export type News =
  | DeliveredNews
  | SpreadNews
  | { readonly kind: 'fenced'; readonly number: number; readonly epoch: string }
  | {
      readonly kind: 'groups'
      readonly number: number
      readonly publisher: string | undefined
      readonly groups: readonly string[]
    }

/** Fan-outs of this broker are done. */
export interface SpreadNews {
  readonly kind: 'spread'
  readonly number: number
  /** The number of each, and how many sessions and groups it was for. */
  readonly reached: ReadonlyMap<number, number>
}

/** Another broker has queued messages for a session that is open here. */
export interface DeliveredNews {
  readonly kind: 'delivered'
  readonly number: number
  readonly messages: readonly DeliveredMessage[]
}

/** A message, and for each session that has it in its queue the epoch, the sequence and the delivery. */
export interface DeliveredMessage {
  readonly record: Buffer
  readonly offers: readonly Buffer[]
}

/** Fields of one offer. */
export const offerSize = 3

/** Undefined: a kind that a later release has brought. */
export function decodeNews(payload: Buffer): News | undefined {
  const [numberText, kind, ...fields] = fieldsOf(payload)
  const [first = Buffer.alloc(0), ...rest] = fields
  const number = Number(numberText?.toString() ?? 0)
  switch (kind?.toString()) {
    case 'd':
      return { kind: 'delivered', number, messages: messagesOf(fields) }
    case 's':
      return { kind: 'spread', number, reached: reachedOf(fields) }
    case 'f':
      return { kind: 'fenced', number, epoch: rest[0]?.toString() ?? '' }
    case 'g': {
      const publisher = first[0] === 0x31 ? first.toString('utf8', 1) : undefined
      return { kind: 'groups', number, publisher, groups: rest.map(name => name.toString()) }
    }
    default:
      return undefined
  }
}

/** Numbers of fan-outs, and how many each was for. */
export function reachedOf(fields: readonly (Buffer | number)[]): Map<number, number> {
  const reached = new Map<number, number>()
  for (let index = 0; index + 1 < fields.length; index += 2)
    reached.set(Number(String(fields[index])), Number(String(fields[index + 1])))
  return reached
}

/** Of each the record, how many offers follow, and these. */
export function messagesOf(fields: readonly Buffer[]): DeliveredMessage[] {
  const messages: DeliveredMessage[] = []
  for (let index = 0; index + 1 < fields.length;) {
    const offers = index + 2
    const next = offers + offerSize * Number(fields[index + 1])
    messages.push({ record: fields[index] as Buffer, offers: fields.slice(offers, next) })
    index = next
  }
  return messages
}

/** Fields with their lengths before them. */
export function fieldsOf(payload: Buffer): Buffer[] {
  const fields: Buffer[] = []
  for (let offset = 0; offset + 4 <= payload.length;) {
    const start = offset + 4
    offset = start + payload.readUInt32BE(offset)
    fields.push(payload.subarray(start, offset))
  }
  return fields
}
