import type { PublishFrame } from '@x/packet'
import type { ClientConnection } from '../connect/client-connection.ts'
import { TopicAliases } from '../session/topic-aliases.ts'

/** The topic of a PUBLISH with a topic alias, which is set or used by it. MQTT 5.0 §3.3.2.3.4 */
export function aliasedTopic(connection: ClientConnection, frame: PublishFrame): string {
  const { engine, profile } = connection
  const { interner, options } = engine
  connection.aliases ??= new TopicAliases({
    topicAliasMaximum: profile?.topicAliasMaximum ?? options.topicAliasMaximum,
    maximumTopicAliasBytes: options.maximumTopicAliasBytes,
  })
  if (frame.topicStart === frame.topicEnd) return connection.aliases.get(frame.topicAlias)
  const topic = interner.intern(frame.source, frame.topicStart, frame.topicEnd)
  connection.aliases.set(frame.topicAlias, topic)
  return topic
}
