import { expect, test } from 'vitest'
import { alternativeName } from '../src/listener/alternative-name.ts'

test.for<[names: string | undefined, name: string | undefined]>([
  [undefined, undefined],
  ['', undefined],
  ['DNS:a.example, IP Address:127.0.0.1', 'a.example'],
  ['IP Address:127.0.0.1, email:ada@example.org', 'ada@example.org'],
  ['othername:<unsupported>, URI:urn:device:7', 'urn:device:7'],
  ['IP Address:127.0.0.1', undefined],
  ['DNS:', undefined],
  // A certificate whose one name looks like two.
  ['DNS:"a, DNS:admin", DNS:b', undefined],
])('of %j the name is %j', ([names, name]) => {
  expect(alternativeName(names)).toBe(name)
})
