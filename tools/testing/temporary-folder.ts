import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A new folder that goes with the test. Everybody may look into it: Mosquitto gives up its rights before it reads its files. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'x-test-'))
  chmodSync(folder, 0o755)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
