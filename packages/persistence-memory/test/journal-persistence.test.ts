import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { afterAll, expect, test } from 'vitest'
import { journalPersistence } from './journal-persistence.ts'

// The store that the README of the contract shows how to write.

const directory = mkdtempSync(join(tmpdir(), 'journal-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

await persistenceCompliance({ test, factory: () => journalPersistence(join(directory, `${(files += 1)}`)) })

test('it is the one in the README, in under 60 lines', () => {
  const text = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
  const code = text('journal-persistence.ts')
  expect(text('../../contract/README.md')).toContain(`\`\`\`ts\n${code}\`\`\`\n`)
  expect(
    code
      .trimEnd()
      .split('\n')
      .filter(line => line.trim() !== '').length,
  ).toBeLessThan(60)
})
