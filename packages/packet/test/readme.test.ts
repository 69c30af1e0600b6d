import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import * as packet from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the README lists exactly the error codes, with their reason codes', () => {
  const rows = [...readme.matchAll(/^\| `([A-Z\d_]+)` +\| (0x[\da-f]{2})/gmu)].map(([, code, reasonCode]) => [
    code,
    Number(reasonCode),
  ])
  expect(Object.fromEntries(rows)).toEqual(packet.packetErrorTable)
})

test("the README's example runs", () => {
  const [, example = ''] = /```ts\n(.*?)```/su.exec(readme) ?? []
  const printed: unknown[][] = []
  const body = example.replace(/^import .*$/mu, '')
  const log = (...values: unknown[]): number => printed.push(values)
  runInNewContext(body, { Decoder: packet.Decoder, encode: packet.encode, Buffer, console: { log } })
  expect(printed).toEqual([
    ['sensor', 5],
    ['home/kitchen', '21.5'],
  ])
})
