import { createHash, pbkdf2Sync } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  AuthError,
  hashAlgorithms,
  hashPassword,
  parsePasswordFile,
  withHashes,
  withUser,
  withoutUser,
} from '../src/index.ts'

/** Made by mosquitto_passwd 2.0.11. */
const alice =
  'alice:$7$101$zTVlzORY6JVZczni$ggnmGJsiX+UCXqPYZD5ibM6vUQKnddz9EAUqz+fkrQiS2eln98nQidPJ3dwmBwvFmyzIpZC/AG6tMtgTLoiBAw=='

async function verdict(text: string, username: string | undefined, password: string | undefined): Promise<string> {
  const given = password === undefined ? undefined : Buffer.from(password)
  const found = await parsePasswordFile(text, 'users').check({ clientId: 'c', username, password: given })
  return typeof found === 'string' ? found : 'accept'
}

test('a password of mosquitto_passwd lets in, and no other one', async () => {
  expect(await verdict(alice, 'alice', 'correct horse')).toBe('accept')
  for (const wrong of ['correct hors', 'correct horse ', '', undefined]) {
    expect(await verdict(alice, 'alice', wrong)).toBe('refuse')
  }
})

test('names that are not in the file are refused, also those of every object', async () => {
  for (const name of ['bob', '', '__proto__', 'constructor', 'alice ']) {
    expect(await verdict(alice, name, 'correct horse')).toBe('refuse')
  }
  expect(await verdict('', 'alice', 'correct horse')).toBe('refuse')
})

test('a client without name is left to others', async () => {
  expect(await verdict(alice, undefined, 'correct horse')).toBe('unknown')
})

test('the hash of SHA-512, and one with a long salt, let in', async () => {
  const salt = Buffer.alloc(64, 7)
  const plain = createHash('sha512').update('pässword').update(salt).digest('base64')
  const slow = pbkdf2Sync('pässword', salt, 3, 64, 'sha512').toString('base64')
  for (const hash of [`$6$${salt.toString('base64')}$${plain}`, `$7$3$${salt.toString('base64')}$${slow}`]) {
    expect(await verdict(`u:${hash}`, 'u', 'pässword')).toBe('accept')
    expect(await verdict(`u:${hash}`, 'u', 'passwort')).toBe('refuse')
  }
})

/** Of the reference implementation: `echo -n password | argon2 somesalt -t 2 -m 16 -p 4 -l 24 -id`. */
const reference = '$argon2id$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo'

test('hashes of argon2id as other programs write them let in', async () => {
  const made = await hashPassword('password', { algorithm: 'argon2id', iterations: 2 })
  expect(made).toMatch(/^\$argon2id\$v=19\$m=47104,t=2,p=1\$[\w+/]{86}\$[\w+/]{86}$/)
  expect(await verdict(`u:${made}`, 'u', 'password')).toBe('accept')
  expect(await verdict(`u:${made}`, 'u', 'passwort')).toBe('refuse')
  expect(await verdict(`u:${reference}`, 'u', 'passwort')).toBe('refuse')
})

test.each(hashAlgorithms)('a hash of %s is one that a file may have', async algorithm => {
  const hash = await hashPassword('secret', { algorithm })
  expect(hash).not.toBe(await hashPassword('secret', { algorithm }))
  expect(await verdict(`u:${hash}`, 'u', 'secret')).toBe('accept')
  await expect(hashPassword('', { algorithm })).rejects.toThrow(
    new AuthError('PASSWORD_INVALID', 'the password is empty'),
  )
})

test('comments, lines without a colon and what follows a second colon count for nothing', async () => {
  const text = `# users\n\nnothing\n  ${alice.replace(':', ' : ')}  : more\r\n`
  expect(await verdict(text, 'alice', 'correct horse')).toBe('accept')
})

const salt = Buffer.alloc(12).toString('base64')
const hash64 = Buffer.alloc(64).toString('base64')

test.for<[line: string, problem: string]>([
  [`:$6$${salt}$${hash64}`, 'the user name is empty'],
  [alice, "user 'alice' stands there twice"],
  ['bob:', "user 'bob' has no password"],
  ['bob:secret', "user 'bob': the password is not hashed: it must begin with $6$, $7$ or $argon2id$"],
  ['bob:$5$a$b', "user 'bob': the hash begins with $5$, it must begin with $6$, $7$ or $argon2id$"],
  [`bob:$6$${salt}`, "user 'bob': the hash has 1 fields behind its kind, it must have a salt and a hash"],
  [`bob:$6$${salt}$!!!!`, "user 'bob': the hash is no base64"],
  [`bob:$6$AAAA$${hash64}`, "user 'bob': the salt has 3 bytes, it must have 12 or 64"],
  [`bob:$6$${salt}$AAAA`, "user 'bob': the hash has 3 bytes, it must have 64"],
  [
    `bob:$7$0$${salt}$${hash64}`,
    "user 'bob': rounds of the hash is '0', it must be a whole number from 1 to 2147483647",
  ],
  [
    `bob:$7$x$${salt}$${hash64}`,
    "user 'bob': rounds of the hash is 'x', it must be a whole number from 1 to 2147483647",
  ],
  [
    'bob:$argon2id$v=16$m=8,t=1,p=1$c29tZXNhbHQ$AAAA',
    "user 'bob': the hash must be $argon2id$v=19$m=…,t=…,p=…$salt$hash",
  ],
  [
    'bob:$argon2id$v=19$m=8$c29tZXNhbHQ$AAAA',
    "user 'bob': the parameters of argon2id are 'm=8', they must be m=…,t=…,p=…",
  ],
  [`bob:${'x'.repeat(65_535)}`, 'the line exceeds 65535 bytes'],
])('line 3 %# is refused with its place and reason', ([line, problem]) => {
  expect(() => parsePasswordFile(`# first\n${alice}\n${line}\n`, 'users')).toThrow(
    expect.objectContaining({ code: 'PASSWORD_FILE_INVALID', message: `users:3: ${problem}`, file: 'users', line: 3 }),
  )
})

test('a user is replaced in its place, or added at the end, and taken out', async () => {
  const text = '# users\na:1\nb:2\n'
  expect(withUser(text, 'a', 'x')).toBe('# users\na:x\nb:2\n')
  expect(withUser(text, 'c', 'x')).toBe('# users\na:1\nb:2\nc:x\n')
  expect(withUser('', 'c', 'x')).toBe('c:x\n')
  expect(withoutUser(text, 'b')).toBe('# users\na:1\n')
  expect(withoutUser(text, 'c')).toBeUndefined()
})

test.for(['', ' a', 'a:b', 'a\nb', '#a', 'x'.repeat(65_536)])('the user name %j can not stand in a file', name => {
  expect(() => withUser('', name, 'x')).toThrow(AuthError)
})

test('a file of plain passwords is hashed line by line, and a line that is none names its place', async () => {
  const hash = async (password: string): Promise<string> => `<${password}>`
  expect(await withHashes({ text: 'a:1\nb:2:3\r\n', file: 'f' }, hash)).toBe('a:<1>\nb:<2:3>\n')
  await expect(withHashes({ text: 'a:1\n# b\n', file: 'f' }, hash)).rejects.toThrow('f:2: the line is no name:password')
})
