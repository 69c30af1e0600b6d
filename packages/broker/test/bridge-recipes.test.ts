import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { problemsOfBridges } from '../src/config/bridges.ts'
import { loadConfig } from '../src/config/load-config.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const recipes = readFileSync(new URL('../../bridge/RECIPES.md', import.meta.url), 'utf8')
const blocks = [...recipes.matchAll(/^## (.+)\n\n```yaml\n([^]*?)^```\n\n(\|[^]*?)(?:\n\n|\n*$(?![^]))/gm)].map(
  ([, name = '', yaml = '', table = '']) => ({ name, yaml, table }),
)

test('there is a recipe for each service', () => {
  expect(blocks.map(({ name }) => name)).toEqual(['AWS IoT Core', 'Azure IoT Hub', 'Azure Event Grid', 'HiveMQ Cloud'])
})

test.each(blocks)('the recipe for $name is a configuration, and its table has its fields', ({ yaml, table }) => {
  const file = join(temporaryFolder(), 'x.yaml')
  writeFileSync(file, yaml)
  const { bridges = [] } = loadConfig({ file, environment: {}, flags: {} }).config
  expect(bridges).toHaveLength(1)
  expect(problemsOfBridges(bridges)).toEqual([])
  const [bridge] = bridges
  const fields = new Set([...table.matchAll(/`([a-z]\w+)(?:\.\w+)?`/gi)].map(([, name]) => name))
  const obvious = new Set(['name', 'attemptUnsubscribe', 'notifications'])
  expect(Object.keys(bridge ?? {}).filter(key => !fields.has(key) && !obvious.has(key))).toEqual([])
})
