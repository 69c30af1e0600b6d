import { expect, test } from 'vitest'
import { configurationFiles } from '../../../tools/configuration.ts'
import { repositoryFile } from './readme-blocks.ts'

/** Without what the formatter makes of a table. */
function lines(text: string): string[] {
  return text.split('\n').map(line => line.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---'))
}

test('CONFIGURATION.md lists the keys and directives that there are; npm run configuration writes it', () => {
  expect(lines(repositoryFile('packages/broker/CONFIGURATION.md'))).toEqual(
    lines(configurationFiles()['CONFIGURATION.md']),
  )
})

test('config.schema.json is the schema; npm run configuration writes it', () => {
  const written: unknown = JSON.parse(repositoryFile('packages/broker/config.schema.json'))
  expect(written).toEqual(JSON.parse(configurationFiles()['config.schema.json']))
})
