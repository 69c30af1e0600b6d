/** A bridge's own topic is `$SYS/broker/connection/NAME/state`. */
const [bridgePrefix, bridgeSuffix] = ['$SYS/broker/connection/', '/state']

/** Only the broker publishes below `$SYS`, except for the state that a bridge publishes of itself; `$share` is no topic. No rule changes
 * that. */
export function isReserved(topic: string): boolean {
  if (topic.charCodeAt(0) !== 0x24) return false
  if (topic.startsWith('$share')) return true
  if (!topic.startsWith('$SYS')) return false
  const name = topic.slice(bridgePrefix.length, -bridgeSuffix.length)
  return !(topic.startsWith(bridgePrefix) && topic.endsWith(bridgeSuffix) && name !== '' && !name.includes('/'))
}

/** `topicAccess` of a broker without rules: everything is free but the topics of the broker. */
export const reservedTopics: { mayPublish(client: unknown, topic: string): boolean } = {
  mayPublish: (_client, topic) => !isReserved(topic),
}
