import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfigFile } from '../src/config/config-file.ts'
import { jsonSchema } from '../src/config/json-schema.ts'
import type { JsonSchema } from '../src/config/json-schema.ts'
import { commandFile } from './started-command.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function init(directory: string, ...parameters: readonly string[]) {
  const { status, stderr } = spawnSync(process.execPath, [commandFile, 'init', ...parameters], {
    cwd: directory,
    encoding: 'utf8',
  })
  return { status, stderr }
}

function keysOf(schema: JsonSchema): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, node]) => [name, ...keysOf(node.items ?? node)])
}

test('the file has every key, and is a configuration for this machine alone', () => {
  const directory = temporaryFolder()
  expect(init(directory)).toEqual({ status: 0, stderr: '' })
  const file = join(directory, 'x-broker.yaml')
  expect(readConfigFile(file)).toEqual({ listeners: [{ port: 1883 }] })
  const text = readFileSync(file, 'utf8')
  const names = [...text.matchAll(/^#? *-? *([A-Za-z\d]+):/gm)].map(([, name]) => name)
  expect(names.toSorted()).toEqual(keysOf(jsonSchema()).toSorted())
})

test('each section may lose its # and gets values', () => {
  const directory = temporaryFolder()
  init(directory, 'mine.yaml')
  const file = join(directory, 'mine.yaml')
  const wanted = /^#( (log|limits):|   (level|keepaliveLimit|maximumQoS):|     (backlog|mountPoint):)/
  const values: Readonly<Record<string, string>> = {
    level: 'debug',
    keepaliveLimit: '60',
    maximumQoS: '1',
    backlog: '128',
    mountPoint: 'm/',
  }
  const lines = readFileSync(file, 'utf8').split('\n')
  const uncommented = lines.map(line => {
    const [, , section, name = '', ofListener = ''] = wanted.exec(line) ?? []
    if (section !== undefined) return `${section}:`
    const key = name || ofListener
    if (key === '') return line
    return `${/^#( *)/.exec(line)?.[1]?.slice(1) ?? ''}${key}: ${values[key]}`
  })
  writeFileSync(file, uncommented.join('\n'))
  expect(readConfigFile(file)).toEqual({
    listeners: [{ port: 1883, backlog: 128, mountPoint: 'm/' }],
    log: { level: 'debug' },
    limits: { keepaliveLimit: 60, maximumQoS: 1 },
  })
})

test('a file that is there stays as it is, and one of another kind is refused', () => {
  const directory = temporaryFolder()
  writeFileSync(join(directory, 'x-broker.yaml'), 'mine')
  expect(init(directory)).toEqual({
    status: 1,
    stderr: 'x-broker init: x-broker.yaml is there, and stays as it is\n',
  })
  expect(readFileSync(join(directory, 'x-broker.yaml'), 'utf8')).toBe('mine')
  expect(init(directory, 'x.toml')).toMatchObject({ status: 1 })
  expect(init(directory, 'a.yaml', 'b.yaml')).toMatchObject({ status: 1 })
})
