import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MeshEmitter, meshEmitterOptions } from '../src/index.ts'
import { anyPort, directory, opened } from './meshes.ts'
import { MeshedBroker } from './meshed-broker.ts'

const refused: readonly (readonly [options: object, sentence: string])[] = [
  [{}, 'option directory or listen must be given'],
  [{ directory: '' }, 'option directory is'],
  [{ directory: `/${'x'.repeat(100)}` }, 'option directory is'],
  [{ directory: '/d', listen: '127.0.0.1:1' }, 'option directory takes the place of listen and peers'],
  [{ directory: '/d', peers: [] }, 'option directory takes the place of listen and peers'],
  [{ listen: '1883' }, "option listen is '1883', it must be"],
  [{ listen: 'host:65536' }, 'option listen is'],
  [{ listen: '0.0.0.0:1' }, "option listen is '0.0.0.0:1', which others can reach: tls or secret must be given"],
  [
    { listen: 'unix:/s', tls: { key: '', cert: '', ca: '' } },
    'options tls and advertise are for listen with HOST:PORT',
  ],
  [{ listen: 'a:1', secret: 'short' }, 'option secret has 5 bytes, it must have 16 or more'],
  [{ listen: 'a:1', tls: { key: 'k', cert: 'c', ca: 'a' } }, 'option tls is not usable'],
  [{ ...anyPort, peers: 'nowhere' }, "option peers is 'nowhere', it must be"],
  [{ ...anyPort, peers: ['a:1', 'b:0'] }, 'option peers is a list'],
  [{ ...anyPort, advertise: 'unix:/s' }, 'option advertise is'],
  [{ ...anyPort, lease: 0 }, 'option lease is 0, it must be a whole number from 100 to 3600000'],
  [{ ...anyPort, maximumPeers: 1.5 }, 'option maximumPeers is 1.5'],
  [{ ...anyPort, leese: 1 }, 'option leese of MeshEmitter is unknown (it is 1); did you mean lease?'],
]

test.each(refused)('%o is refused', (options, sentence) => {
  const make = (): unknown => new MeshEmitter(options)
  expect(make).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(sentence) }))
})

test('an address that is taken, and a directory that can’t be made, are LISTEN_FAILED', async () => {
  const one = await opened('one', anyPort)
  for (const options of [{ ...anyPort, listen: String(one.emitter.address) }, { directory: '/dev/null/mesh' }]) {
    const other = new MeshedBroker('other', options)
    await expect(other.emitter.open(other)).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  }
})

test('is refused before it is open and after it is closed', async () => {
  const broker = new MeshedBroker('one', { directory: directory() })
  for (const state of ['before', 'after']) {
    const calls = [broker.publish('x'), broker.emitter.addRoute('a'), broker.emitter.announce('c')]
    for (const call of calls) await expect(call, state).rejects.toMatchObject({ code: 'NOT_OPEN' })
    await broker.publish('x', 0)
    await broker.emitter.open(broker)
    await expect(broker.emitter.open(broker)).rejects.toMatchObject({ code: 'ALREADY_OPEN' })
    await broker.emitter.close()
  }
})

/** The code in the first cell of each row of a table of the README. */
function rowsOf(section: string): string[] {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const text = readme.split(/^## /m).find(part => part.startsWith(`${section}\n`)) ?? ''
  return [...text.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
    Array.from(cell.matchAll(/`(\w+)`/g), ([, name = '']) => name),
  )
}

test('the README lists exactly the options', () => {
  expect(rowsOf('Options').toSorted()).toEqual(Object.keys(meshEmitterOptions).toSorted())
})

test('the README lists exactly the codes of MeshError', () => {
  const source = readFileSync(new URL('../src/mesh-error.ts', import.meta.url), 'utf8')
  const codes = Array.from(source.matchAll(/^ {2}\| '(\w+)'/gm), ([, code = '']) => code)
  expect(rowsOf('Errors').toSorted()).toEqual(codes.toSorted())
})
