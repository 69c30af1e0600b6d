import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const codesIn = (text: string, row: RegExp): string[] => Array.from(text.matchAll(row), match => match[1] ?? '').sort()

test('documents in its README exactly the error codes of the source', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const source = await readFile(new URL('../src/errors.ts', import.meta.url), 'utf8')
  const documented = codesIn(readme, /^\| `([A-Z_]+)`/gm)
  expect(documented.length).toBeGreaterThan(0)
  expect(documented).toEqual(codesIn(source, /^ {2}\| '([A-Z_]+)'/gm))
})
