import { test as runnerTest } from 'vitest'
import type { Version } from './wire.ts'

/** What `eachVersion` hands to a suite. */
export interface VersionSuite {
  readonly version: 4 | 5
  /** Fields of a CONNECT whose session outlives the connection. */
  readonly lasting: { readonly version: Version; readonly cleanStart: false; readonly properties: readonly number[] }
  /** Like vitest's. Of the statement ids in the title those of the other version are left out. */
  test(title: string, body: () => Promise<void> | void): void
}

/** Session Expiry Interval of 3 600 s. */
const hour = [0x11, 0, 0, 0x0e, 0x10]

/** Runs the suite for MQTT 3.1.1 and for MQTT 5.0. Titles name the statements of both: `[MQTT3-3.1.0-2] [MQTT5-3.1.0-2]`. */
export function eachVersion(suite: (traits: VersionSuite) => void): void {
  for (const version of [4, 5] as const) {
    const name = version === 5 ? 'MQTT 5.0' : 'MQTT 3.1.1'
    const foreign = version === 5 ? / \[MQTT3-[^\]]*\]/g : / \[MQTT5-[^\]]*\]/g
    suite({
      version,
      lasting: { version, cleanStart: false, properties: version === 5 ? hour : [] },
      test: (title, body) => {
        // oxlint-disable-next-line vitest/valid-title -- the title is the caller's
        runnerTest(`${name}: ${title.replaceAll(foreign, '')}`, body)
      },
    })
  }
}
