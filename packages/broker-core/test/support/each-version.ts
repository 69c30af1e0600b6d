import { test as runnerTest } from 'vitest'
import type { Version } from './wire.ts'

/** What `eachVersion` hands to a suite. */
export interface VersionSuite {
  readonly version: 4 | 5
  /** Fields of a CONNECT whose session outlives the connection. */
  readonly lasting: { readonly version: Version; readonly cleanStart: false; readonly properties: readonly number[] }
  /** Like vitest's. Of the tags those of the other version are left out. */
  test(title: string, ...rest: [body: Body] | [proof: Proof, body: Body]): void
}

type Body = () => Promise<void> | void

interface Proof {
  readonly tags: readonly string[]
}

/** Session Expiry Interval of 3 600 s. */
const hour = [0x11, 0, 0, 0x0e, 0x10]

/** Runs the suite for MQTT 3.1.1 and for MQTT 5.0. Tags name the statements of both: `['MQTT3-3.1.0-2', 'MQTT5-3.1.0-2']`. */
export function eachVersion(suite: (traits: VersionSuite) => void): void {
  for (const version of [4, 5] as const) {
    const name = version === 5 ? 'MQTT 5.0' : 'MQTT 3.1.1'
    const standard = version === 5 ? 'MQTT5' : 'MQTT3'
    const test: VersionSuite['test'] = (title, ...rest) => {
      const [{ tags }, body] = rest.length === 1 ? [{ tags: [] }, rest[0]] : rest
      runnerTest(`${name}: ${title}`, { tags: tags.filter(tag => tag.startsWith(standard)) }, body)
    }
    suite({ version, lasting: { version, cleanStart: false, properties: version === 5 ? hour : [] }, test })
  }
}
