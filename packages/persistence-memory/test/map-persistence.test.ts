import { readFileSync } from 'node:fs'
import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { expect, test } from 'vitest'
import { MapPersistence } from './map-persistence.ts'

await persistenceCompliance({ test, factory: () => new MapPersistence() })

test('it is the one that the contract shows', () => {
  const text = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
  expect(text('../../contract/WRITING.md')).toContain(`\`\`\`ts\n${text('map-persistence.ts')}\`\`\`\n`)
})
