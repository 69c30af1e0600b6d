import { readdirSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import aedes from '../src/index.ts'
import { repositoryFile } from './readme-blocks.ts'

const text = repositoryFile('packages/broker/MIGRATION.md')

/** The names in the paragraph that begins so. */
function names(beginning: string): string[] {
  const paragraph = text.split('\n\n').find(part => part.startsWith(beginning)) ?? ''
  return [...paragraph.matchAll(/`([\w$]+)`/g)].map(([, name = '']) => name)
}

function broker(): InstanceType<typeof aedes.Broker> {
  const made = aedes()
  onTestFinished(() => made.close())
  return made
}

test('the options that stay are options', () => {
  const options = names('Options:')
  expect(options.length).toBeGreaterThan(10)
  for (const option of options) expect(() => aedes({ [option]: Symbol(option) }), option).toThrow()
})

test('the hooks that stay can be set', () => {
  const made = broker()
  const hooks = names('Hooks,')
  expect(hooks).toHaveLength(7)
  for (const hook of hooks)
    expect(() => Reflect.set(made, hook, 'no function'), hook).toThrow(`hook ${hook} is a string`)
})

test('the properties and methods that stay are there', () => {
  const made = broker()
  const properties = names('Of the broker:')
  expect(properties.length).toBeGreaterThan(10)
  for (const property of properties) expect(property in made, property).toBe(true)
})

test('the events that stay are emitted', () => {
  const folder = 'packages/broker-core/src'
  const sources = readdirSync(new URL(`../../../${folder}`, import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => repositoryFile(`${folder}/${name}`))
    .join('')
  const events = names('Events:')
  expect(events.length).toBeGreaterThan(10)
  for (const event of events) {
    const isEmitted = sources.includes(`emit('${event}'`) || sources.includes(`'${event}', client, error`)
    expect(isEmitted || ['clientError', 'connectionError'].includes(event), event).toBe(true)
  }
})
