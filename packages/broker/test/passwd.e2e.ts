import { execFileSync, spawnSync } from 'node:child_process'
import type { SpawnSyncReturns } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readPasswordFile } from '@x/auth'
import { expect, test } from 'vitest'
import { commandFile } from './started-command.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function passwd(parameters: readonly string[], input = ''): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [commandFile, 'passwd', ...parameters], { encoding: 'utf8', input })
}

async function verdict(file: string, username: string, password: string): Promise<string> {
  const found = await readPasswordFile(file).check({ clientId: 'c', username, password: Buffer.from(password) })
  return typeof found === 'string' ? found : 'accept'
}

test('makes a file that its owner alone can read, adds users, replaces and deletes them', async () => {
  const file = join(temporaryFolder(), 'users')
  expect(passwd(['-c', '-b', file, 'ann', 'one'])).toMatchObject({ status: 0, stderr: '' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file, 'utf8')).toMatch(/^ann:\$argon2id\$/)
  expect(passwd(['-H', 'sha512-pbkdf2', '-I', '7', '-b', file, 'bob', 'two']).status).toBe(0)
  expect(readFileSync(file, 'utf8')).toContain('\nbob:$7$7$')
  chmodSync(file, 0o640)
  expect(passwd([file, 'ann'], 'three\n').status).toBe(0)
  expect(statSync(file).mode & 0o777).toBe(0o640)
  expect(await verdict(file, 'ann', 'three')).toBe('accept')
  expect(await verdict(file, 'ann', 'one')).toBe('refuse')
  expect(await verdict(file, 'bob', 'two')).toBe('accept')
  expect(passwd(['-D', file, 'ann']).status).toBe(0)
  expect(await verdict(file, 'ann', 'three')).toBe('refuse')
  expect(existsSync(`${file}.new`)).toBe(false)
})

test('hashes a file of plain passwords', async () => {
  const file = join(temporaryFolder(), 'users')
  writeFileSync(file, 'ann:one\nbob:two\n')
  expect(passwd(['-U', '-H', 'sha512', file]).status).toBe(0)
  expect(await verdict(file, 'bob', 'two')).toBe('accept')
})

test('reads and writes the files of mosquitto_passwd', async () => {
  const file = join(temporaryFolder(), 'users')
  execFileSync('mosquitto_passwd', ['-c', '-b', file, 'ann', 'one'])
  execFileSync('mosquitto_passwd', ['-b', '-H', 'sha512', file, 'cid', 'three'])
  expect(passwd(['-b', '-H', 'sha512-pbkdf2', file, 'bob', 'two']).status).toBe(0)
  execFileSync('mosquitto_passwd', ['-b', file, 'dan', 'four'])
  const pairs = { ann: 'one', bob: 'two', cid: 'three', dan: 'four' }
  for (const [name, password] of Object.entries(pairs)) expect(await verdict(file, name, password)).toBe('accept')
})

test.for<[parameters: readonly string[], message: string]>([
  [['FILE'], '1 parameters are given, it must be 2; try x-broker passwd --help'],
  [['-b', 'FILE', 'ann'], '2 parameters are given, it must be 3; try x-broker passwd --help'],
  [['-b', 'MISSING', 'ann', 'one'], 'MISSING is not there; -c makes it'],
  [['-D', 'FILE', 'nobody'], "FILE has no user 'nobody'"],
  [['-b', 'FILE', 'a:b', 'one'], "user name 'a:b' has a colon or a line end"],
  [['-b', 'FILE', 'ann', ''], 'the password is empty'],
  [['-H', 'md5', '-b', 'FILE', 'ann', 'one'], "-H is 'md5', it must be one of argon2id, sha512-pbkdf2, sha512"],
  [['-I', '0', '-b', 'FILE', 'ann', 'one'], "-I is '0', it must be a whole number from 1 to 1000"],
  [['-c', '-D', 'FILE', 'ann'], 'only one of -c, -D and -U may be given, and -b with neither -D nor -U'],
  [['-U', 'BAD'], 'BAD:2: the line is no name:password'],
  [
    ['-X', 'FILE', 'ann'],
    "Unknown option '-X'. To specify a positional argument starting with a '-', place it at the end of the command after '--', as in '-- \"-X\"",
  ],
])('%j ends with exit code 1, one line, and the file as it was', ([parameters, message]) => {
  const made = temporaryFolder()
  writeFileSync(join(made, 'FILE'), 'ann:x\n')
  writeFileSync(join(made, 'BAD'), 'ann:x\n# bob\n')
  const named = (text: string): string => text.replace(/^(FILE|MISSING|BAD)/, `${made}/$1`)
  const { status, stderr } = passwd(parameters.map(named))
  expect([status, stderr]).toEqual([1, `x-broker passwd: ${named(message)}\n`])
  expect(readFileSync(join(made, 'FILE'), 'utf8')).toBe('ann:x\n')
})
