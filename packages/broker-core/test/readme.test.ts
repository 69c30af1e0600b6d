import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { RawClient } from './support/raw-client.ts'
import { fileText, readmeTable } from './support/readme.ts'
import { hookResults } from '../src/hooks/hook-results.ts'
import { adjustableLimits } from '../src/index.ts'
import { steps } from '../src/ground/steps.ts'
import { checkOptions } from '../src/options.ts'

test('the example serves clients as it says', async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue()
  const { broker, server } = await import('./readme-example.ts')
  onTestFinished(async () => {
    server.close()
    await broker.close()
    log.mockRestore()
  })
  if (!server.listening) await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = await RawClient.connect(port, { clientId: 'c', username: 'ann', password: 'secret' })
  await client.subscribe(['lamp/+', 1])
  client.publish({ topic: 'lamp/hall/set', payload: 'on', qos: 1 })
  expect(await client.nextPublish()).toMatchObject({ topic: 'lamp/hall', payload: 'on' })
  await client.nextAck('puback')
  const stranger = await RawClient.open(port)
  expect((await stranger.connect({ clientId: 'x', username: 'eve' })).reasonCode).toBe(0x87)
})

test('the example of the README is the one that runs', () => {
  const example = fileText('test/readme-example.ts')
    .replace('../src/index.ts', '@x/broker-core')
    .replace('./support/memory-persistence.ts', '@x/persistence-memory')
    .replace('server.listen(0)', 'server.listen(1883)')
    .replace('\nexport { broker, server }\n', '')
  expect(fileText('README.md')).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
})

/** Each once, in the order of the alphabet. */
function sorted(names: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(names.map(String))].toSorted()
}

test('OPTIONS.md lists exactly the options that there are', () => {
  const { id, ...limits } = checkOptions({ persistence: new MemoryPersistence() })
  expect(id).toBeTypeOf('string')
  expect(sorted(readmeTable('name', 'unit', 'OPTIONS.md').map(([name]) => name))).toEqual(sorted(Object.keys(limits)))
})

test('OPTIONS.md lists exactly the limits that may be changed while the broker runs', () => {
  const [, section = ''] = /## While the broker runs\n([^]*?)\n## /.exec(fileText('OPTIONS.md')) ?? []
  const list = section.split('\n\n').at(-1) ?? ''
  expect(sorted([...list.matchAll(/`(\w+)`/g)].map(([, name]) => name))).toEqual(sorted(adjustableLimits))
})

test('ERRORS.md lists exactly the error codes that there are, and each is used', () => {
  const [, union = ''] = /type BrokerErrorCode =([^]*?)\n\n/.exec(fileText('src/ground/broker-error.ts')) ?? []
  const codes = [...[...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code), ...Object.keys(steps)]
  expect(sorted(readmeTable('code', 'when', 'ERRORS.md').map(([code]) => code))).toEqual(sorted(codes))
  const sources = readdirSync(new URL('../src', import.meta.url), { encoding: 'utf8', recursive: true }).filter(
    name => name.endsWith('.ts') && !name.endsWith('broker-error.ts'),
  )
  const texts = sources.map(name => fileText(`src/${name}`)).join('\n')
  expect(codes.filter(code => !texts.includes(`'${code}'`) && !texts.includes(`${code}:`))).toEqual([])
})

test('the README shows what each hook may answer', () => {
  const texts = (kinds: readonly { readonly text: string }[]): string =>
    kinds.map(({ text }) => text.replaceAll('`', '')).join('; ')
  const rows = Object.entries(hookResults).map(([name, { permits, refuses, permission, refusal }]) => [
    name,
    texts(permits),
    texts(refuses),
    permission.replaceAll('`', ''),
    refusal.replaceAll('`', ''),
  ])
  expect(readmeTable('hook', 'permits')).toEqual(rows)
})

/** Not one of Node's own. */
function isOfBroker(event: string | undefined): boolean {
  return event !== 'newListener' && event !== 'removeListener'
}

test('the README names every hook and event', () => {
  const readme = fileText('README.md')
  const hooks = [...fileText('src/hooks/hooks.ts').matchAll(/^ {2}(\w+)\?: \w+Hook \| null$/gm)].map(([, name]) => name)
  const events = [...fileText('src/hooks/events.ts').matchAll(/^ {2}(\w+): \[/gm)]
    .map(([, name]) => name)
    .filter(isOfBroker)
  expect(hooks.length).toBeGreaterThan(5)
  for (const name of [...hooks, ...events]) expect(readme).toContain(`\`${name}\``)
  expect(readme.split('\n').length).toBeLessThanOrEqual(121)
})
