import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseAclFile } from '../src/index.ts'

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')

test('the README lists exactly the error codes', () => {
  const [declared = ''] = /type AuthErrorCode =[\s\S]*?\n\n/.exec(read('src/auth-error.ts')) ?? []
  const codes = [...declared.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)
  const listed = [...read('README.md').matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code)
  expect(codes).not.toEqual([])
  expect(listed).toEqual(codes)
})

test('the ACL file of the README, without what is said about it, can be read', () => {
  const [, block = ''] = /```\n(topic[\s\S]*?)```/.exec(read('README.md')) ?? []
  const rights = parseAclFile(block.replaceAll(/ +#.*$/gm, ''), 'acl').rightsOf('ann', 'c')
  expect(rights.may('publish', 'house/lamp')).toBe(true)
  expect(rights.may('publish', 'house/cellar/lamp')).toBe(false)
  expect(rights.may('publish', 'devices/c/state')).toBe(true)
})
