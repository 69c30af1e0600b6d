import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A new folder that goes with the test. 0o755 is for Mosquitto, which gives up its rights before it reads its files. */
export function temporaryFolder(mode: 0o700 | 0o755 = 0o700): string {
  const folder = mkdtempSync(join(tmpdir(), 'x-test-'))
  chmodSync(folder, mode)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
