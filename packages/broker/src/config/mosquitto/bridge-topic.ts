import type { BridgeTopicConfig } from '../bridge-schema.ts'
import { wholeOf } from './values.ts'

const directions: ReadonlySet<string> = new Set(['in', 'out', 'both'])

/** A `topic` of a bridge: `PATTERN [DIRECTION [QOS [LOCAL [REMOTE]]]]`, where `""` is an empty text and quotes hold a pattern with spaces.
 * @throws RangeError what is wrong, to stand behind the directive's name */
export function bridgeTopicOf(text: string): BridgeTopicConfig {
  const { pattern, words } = partsOf(text)
  const [direction = 'out', qos = '0', local, remote] = words
  if (!directions.has(direction.toLowerCase())) {
    throw new RangeError(`${pattern} has the direction '${direction}', it must be in, out or both`)
  }
  const localPrefix = prefixOf('local', local)
  const remotePrefix = prefixOf('remote', remote)
  if (pattern === '' && (!localPrefix || !remotePrefix)) {
    throw new RangeError('"" needs a local and a remote prefix, which name one topic each')
  }
  return {
    filter: pattern,
    direction: direction.toLowerCase() as 'in' | 'out' | 'both',
    qos: qosOf(pattern, qos),
    ...(localPrefix !== undefined && { localPrefix }),
    ...(remotePrefix !== undefined && { remotePrefix }),
  }
}

/** A word that begins with `#` begins a comment, from the place of the QoS on. */
function partsOf(text: string): { pattern: string; words: readonly string[] } {
  const quoted = /^"([^"]*)"(?: (.*))?$/s.exec(text)
  if (quoted === null && text.startsWith('"')) throw new RangeError(`${text} has a quote that is not closed`)
  const [, inner = '', behind = ''] = quoted ?? []
  if (inner !== '' && !inner.includes(' ')) {
    throw new RangeError(`"${inner}" has no space in it, so it must stand without quotes`)
  }
  const [first = '', ...others] = wordsOf(quoted === null ? text : `"" ${behind}`)
  const comment = others.findIndex((word, index) => index > 0 && word.startsWith('#'))
  return {
    pattern: quoted === null ? first : inner,
    words: comment < 0 ? others : others.slice(0, comment),
  }
}

function wordsOf(text: string): string[] {
  return text.split(' ').filter(word => word !== '')
}

function qosOf(pattern: string, word: string): 0 | 1 | 2 {
  try {
    return wholeOf(word, { least: 0, greatest: 2 }) as 0 | 1 | 2
  } catch {
    throw new RangeError(`${pattern} has the QoS '${word}', it must be 0, 1 or 2`)
  }
}

function prefixOf(side: 'local' | 'remote', word: string | undefined): string | undefined {
  if (word === undefined) return undefined
  const prefix = word === '""' ? '' : word
  if (/[+#]/.test(prefix)) throw new RangeError(`has the ${side} prefix '${prefix}', it must be without + and #`)
  return prefix
}

/** Whether a topic says what an earlier one says, as Mosquitto has it: a prefix that is missing is like any. */
export function isRepeated(topic: BridgeTopicConfig, earlier: BridgeTopicConfig): boolean {
  const isSame = topic.filter === earlier.filter && topic.direction === earlier.direction && topic.qos === earlier.qos
  return isSame && isLike(topic.localPrefix, earlier.localPrefix) && isLike(topic.remotePrefix, earlier.remotePrefix)
}

function isLike(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other
}
