import type { ReceivedMessage } from './received-message.ts'
import { isoTimeExactly } from './message-time.ts'
import { ToolError } from './tool-error.ts'

/** How a message is written as JSON. */
export interface JsonOptions {
  readonly isPretty: boolean
  /** The payload as text, or as the JSON that it is. */
  readonly payload: 'text' | 'json'
}

/** The message as Mosquitto's tools write it with `%j` and `%J`.
 * @throws ToolError for a payload that is no JSON */
export function messageJson({ packet, payload, receivedAt }: ReceivedMessage, options: JsonOptions): string {
  const { topic, qos, retain, messageId } = packet
  const properties = shownProperties(packet.properties)
  const value = {
    tst: isoTimeExactly(receivedAt),
    topic,
    qos,
    retain: Number(retain),
    payloadlen: payload.length,
    ...(qos > 0 && { mid: messageId }),
    ...(Object.keys(properties).length > 0 && { properties }),
    payload: payload.length === 0 ? null : options.payload === 'text' ? payload.toString() : parsed(payload, topic),
  }
  return JSON.stringify(value, undefined, options.isPretty ? '\t' : undefined)
}

function shownProperties(properties: ReceivedMessage['packet']['properties'] = {}): Record<string, unknown> {
  const { payloadFormatIndicator, correlationData, userProperties } = properties
  const shown = {
    'payload-format-indicator': payloadFormatIndicator === undefined ? undefined : Number(payloadFormatIndicator),
    'message-expiry-interval': properties.messageExpiryInterval,
    'content-type': properties.contentType,
    'response-topic': properties.responseTopic,
    'correlation-data': correlationData?.toString(),
    'subscription-identifier': properties.subscriptionIdentifier,
    'topic-alias': properties.topicAlias,
    'user-properties': userProperties === undefined ? undefined : { ...userProperties },
  }
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined))
}

function parsed(payload: Buffer, topic: string): unknown {
  try {
    return JSON.parse(payload.toString()) as unknown
  } catch (cause) {
    throw new ToolError(`Error: Message payload is not valid JSON on topic ${topic}: ${(cause as Error).message}`)
  }
}
