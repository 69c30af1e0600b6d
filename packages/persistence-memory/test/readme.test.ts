import { readFile } from 'node:fs/promises'
import * as contract from '@x/contract'
import { expect, test } from 'vitest'
import * as memory from '../src/index.ts'

const modules: Record<string, object> = { '@x/contract': contract, '@x/persistence-memory': memory }

test('prints what its README says', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const body = example.replaceAll(/^import (\{.*\}) from '(.*)'$/gm, `const $1 = modules['$2']`)
  const printed: unknown[][] = []
  // oxlint-disable-next-line typescript/no-implied-eval -- the point of this test is to run the text of the README
  const run = new Function('modules', 'console', body)
  run(modules, { log: (...values: unknown[]) => void printed.push(values) })
  expect(printed).toEqual([[1, 'on']])
})
