import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { expect, test, vi } from 'vitest'
import type { TopicErrorCode } from '../src/index.ts'

const text = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

const codesIn = (source: string): string[] => [...new Set(source.match(/\b(TOPIC|FILTER|SHARE)_[A-Z_]+\b/g))].sort()

test('the example prints what its comments say', async () => {
  const example = text('./readme-example.ts')
  expect(text('../README.md')).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await import('./readme-example.ts')
  const printed = log.mock.calls.map(([value]) => `// ${inspect(value)}`)
  log.mockRestore()
  expect(printed).toEqual(example.split('\n').filter(line => line.startsWith('// [')))
})

test('the README lists exactly the error codes of the source', () => {
  const listed = codesIn(text('../README.md'))
  expect(listed).toEqual(codesIn(text('../src/topic-error.ts')))
  expect(listed).toContain('SHARE_FILTER_MISSING' satisfies TopicErrorCode)
})
