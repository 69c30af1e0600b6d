import { ConfigProblem, placed } from '../config-problem.ts'
import type { ListenerConfig } from '../schema.ts'
import type { Setting, Settings } from './settings.ts'

type Rules = Pick<
  ListenerConfig,
  | 'mountPoint'
  | 'acceptedVersions'
  | 'usernameAsClientId'
  | 'clientIdPrefix'
  | 'allowEmptyClientId'
  | 'generatedClientIdPrefix'
  | 'maximumQoS'
  | 'topicAliasMaximum'
  | 'maximumOutgoingTopicAliases'
>

const longestPrefix = 50

/** What holds for the clients of a listener. `shared` has what belongs to it with `per_listener_settings`, and to all without; `global`
 * what belongs to all in any case.
 * @throws ConfigProblem */
export function rulesOf(settings: Settings, shared: Settings, global: Settings): Rules {
  const maximumQoS = settings.whole('max_qos') as Rules['maximumQoS']
  const aliases = settings.whole('max_topic_alias')
  const outgoing = settings.whole('max_topic_alias_broker')
  const allowEmptyClientId = shared.flag('allow_zero_length_clientid')
  const mountPoint = settings.get('mount_point')
  const versions = settings.get('accept_protocol_versions')
  const clientIdPrefix = global.text('clientid_prefixes')
  return {
    generatedClientIdPrefix: prefixOf(settings.get('listener_auto_id_prefix') ?? shared.get('auto_id_prefix')),
    ...(mountPoint !== undefined && { mountPoint: mountPointOf(mountPoint) }),
    ...(versions !== undefined && { acceptedVersions: versionsOf(versions) }),
    ...(settings.flag('use_username_as_clientid') === true && { usernameAsClientId: true }),
    ...(clientIdPrefix !== undefined && { clientIdPrefix }),
    ...(allowEmptyClientId !== undefined && { allowEmptyClientId }),
    ...(maximumQoS !== undefined && { maximumQoS }),
    ...(aliases !== undefined && { topicAliasMaximum: aliases }),
    ...(outgoing !== undefined && { maximumOutgoingTopicAliases: outgoing }),
  }
}

function prefixOf(setting: Setting | undefined): string {
  const prefix = String(setting?.value ?? 'auto-')
  if (setting === undefined || Buffer.byteLength(prefix) <= longestPrefix) return prefix
  throw new ConfigProblem([
    placed(
      setting.place,
      `a prefix of identifiers has ${Buffer.byteLength(prefix)} bytes, the most is ${longestPrefix}`,
    ),
  ])
}

function mountPointOf({ value, place }: Setting): string {
  const mountPoint = String(value)
  if (!/[+#]/.test(mountPoint)) return mountPoint
  throw new ConfigProblem([placed(place, `mount_point is '${mountPoint}', it must have neither + nor #`)])
}

/** Any other word is ignored, as with Mosquitto. */
function versionsOf({ value, place }: Setting): NonNullable<Rules['acceptedVersions']> {
  const words = new Set(String(value).split(/[\s,]+/))
  const versions = ([3, 4, 5] as const).filter(version => words.has(String(version)))
  if (versions.length > 0) return versions
  throw new ConfigProblem([
    placed(place, `accept_protocol_versions is '${String(value)}', it must have some of 3, 4, 5`),
  ])
}
