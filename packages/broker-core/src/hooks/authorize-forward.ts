import type { Clock } from '@x/contract'
import { parseTopicName } from '@x/topic-trie'
import type { Client } from './client.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import type { MountPoint } from '../message/mount-point.ts'
import { packetOf, republish } from '../message/broker-packet.ts'
import type { Publication } from '../message/publication.ts'
import { mayReceive } from './topic-access.ts'
import type { TopicAccessHost, TopicAccessSubject } from './topic-access.ts'

/** What deciding about a delivery needs of the engine. */
export interface ForwardHost extends TopicAccessHost {
  readonly clock: Clock
  readonly options: CheckedOptions
}

/** The connection of a client that a message is delivered to. */
export interface ForwardTarget extends TopicAccessSubject {
  readonly profile: { readonly mountPoint: MountPoint | undefined; readonly systemTopics?: boolean } | undefined
}

/** Asks `topicAccess` and `authorizeForward` about a delivery. Returns the message as this client sees it; undefined: it gets none. An
 * error of the hook costs this delivery alone. */
export function forwarded(
  engine: ForwardHost,
  target: ForwardTarget,
  publication: Publication,
): Publication | undefined {
  if (!mayReceive(engine, target, publication.topic)) return undefined
  const permitted = authorized(engine, target.client, publication)
  const mountPoint = target.profile?.mountPoint
  return mountPoint === undefined || permitted === undefined ? permitted : mountPoint.shown(permitted)
}

function authorized(engine: ForwardHost, client: Client, publication: Publication): Publication | undefined {
  const { authorizeForward } = engine.hooks
  if (authorizeForward === undefined || client.trusted) return publication
  const now = engine.clock.now()
  try {
    const packet = authorizeForward(client, packetOf(publication, false, now))
    if (!packet) return undefined
    const changed = republish(publication, packet, now)
    if (changed.topic !== publication.topic) {
      parseTopicName(changed.topic, { maximumLevels: engine.options.maxTopicLevels })
    }
    return changed
  } catch (error) {
    engine.refused(client, error)
    return undefined
  }
}
