import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { logLevels } from '../src/command/command-line.ts'
import { usage } from '../src/command/usage.ts'
import { readmeFiles, repositoryFile, tableCodes } from './readme-blocks.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

test.each(readmeFiles)('the links of %s lead somewhere', file => {
  const targets = [...repositoryFile(file).matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map(([, target = '']) => target)
    .filter(target => !target.startsWith('https://'))
  expect(targets).not.toEqual([])
  expect(targets.filter(target => !existsSync(join(root, dirname(file), target)))).toEqual([])
})

test.each(readmeFiles)('%s has at most 120 lines', file => {
  expect(repositoryFile(file).split('\n').length).toBeLessThanOrEqual(121)
})

test('the front page lists exactly the packages there are', () => {
  const listed = [...repositoryFile('README.md').matchAll(/^\| \[([^\]]+)\]\(packages\//gm)].map(([, name]) => name)
  const present = readdirSync(join(root, 'packages')).filter(name =>
    existsSync(join(root, 'packages', name, 'package.json')),
  )
  expect(listed.toSorted()).toEqual(present.toSorted())
})

test('the README lists exactly the error codes of ListenError', () => {
  const declared = repositoryFile('packages/broker/src/listener/listen-error.ts')
    .split('\n')
    .find(line => line.includes('type ListenErrorCode'))
  const codes = [...(declared ?? '').matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)
  expect(codes).not.toEqual([])
  expect(tableCodes('packages/broker/README.md', 'Errors')).toEqual(codes)
})

test('README and --help list the same command-line options and log levels', () => {
  const offered = [...usage.matchAll(/^ {2}(-\w), (--[\w-]+)/gm)].map(([, short, long]) => [long, short])
  const listed = [...repositoryFile('packages/broker/README.md').matchAll(/^\| `(--[\w-]+)`, `(-\w)`/gm)]
  expect(listed.map(([, long, short]) => [long, short])).toEqual(offered)
  const documented = repositoryFile('packages/broker/README.md') + repositoryFile('packages/broker/LISTENING.md')
  for (const [name] of usage.matchAll(/--[a-z][\w-]+/g)) expect(documented).toContain(name)
  expect(repositoryFile('packages/broker/README.md')).toContain(logLevels.map(level => `\`${level}\``).join(', '))
})
