import type { Message, QueueEntry, Subscription } from '@x/contract'
import { objectOf, schemas } from '../route.ts'
import type { JsonSchema } from '../route.ts'

const longestPreview = 256

/** A subscription as it is sent. */
export const subscriptionSchema: JsonSchema = objectOf({
  filter: schemas.text,
  qos: schemas.qos,
  noLocal: schemas.flag,
  retainAsPublished: schemas.flag,
  retainHandling: schemas.count,
})

/** Leaves out what must not be shown. */
export function shownSubscription(subscription: Subscription): object {
  const { filter, qos, noLocal, retainAsPublished, retainHandling } = subscription
  return { filter, qos, noLocal, retainAsPublished, retainHandling }
}

/** A message as lists show it: with the beginning of its payload. */
export const messageSchema: JsonSchema = objectOf({
  topic: schemas.text,
  qos: schemas.qos,
  retain: schemas.flag,
  bytes: schemas.count,
  preview: { type: 'string', description: `the first ${longestPreview} bytes of the payload, base64` },
  publisher: schemas.optionalText,
  expiresAt: schemas.optionalNumber,
})

/** The message as {@link messageSchema} has it. */
export function shownMessage({ topic, qos, retain, payload, publisher, expiresAt }: Message): object {
  return {
    topic,
    qos,
    retain,
    bytes: payload.length,
    preview: payload.subarray(0, longestPreview).toString('base64'),
    publisher: publisher ?? null,
    expiresAt: expiresAt ?? null,
  }
}

/** An entry of a queue as it is sent. */
export const entrySchema: JsonSchema = objectOf({
  sequence: schemas.count,
  released: schemas.flag,
  deliveryQoS: schemas.qos,
  message: messageSchema,
})

/** The entry as {@link entrySchema} has it. */
export function shownEntry({ sequence, released, qos, message }: QueueEntry): object {
  return { sequence, released, deliveryQoS: qos, message: shownMessage(message) }
}
