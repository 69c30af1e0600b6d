import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { StartedProcess, commandFile, listeningUrl, oneProcess, portOf } from './started-command.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function configured(access: string, files: Readonly<Record<string, string>> = {}): string {
  const directory = temporaryFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  const file = join(directory, 'x.yaml')
  const lines = access.replaceAll('DIR', directory).split('\n')
  writeFileSync(
    file,
    `listeners: [{ port: 0 }]\nstore: { memory: true }\naccess:\n${lines.map(line => `  ${line}\n`).join('')}`,
  )
  return file
}

function explained(file: string, ...parameters: string[]): { status: number | null; output: string } {
  const given = [commandFile, 'access', 'explain', '-c', file, ...parameters]
  const { status, stdout, stderr } = spawnSync(process.execPath, given, {
    encoding: 'utf8',
    // With workers dynamic security is refused.
    env: { ...process.env, ...oneProcess },
  })
  return { status, output: `${stdout}${stderr}` }
}

const rules = `rules:
  - allow publish|subscribe|receive house/\${username}/# for group family
  - deny publish house/+/lock
  - allow subscribe|receive public/# for anonymous
  - allow publish rooms/\${claim.room} for role guest
groups: { family: [ann, bob] }
allowAnonymous: true`

test.for<[parameters: string, status: number, why: string]>([
  [
    '--user ann --client c publish house/ann/x',
    0,
    "allowed\n  rule 'allow publish|subscribe|receive house/${username}/# for group family' (here: house/ann/#)",
  ],
  ['--user ann --client c publish house/ann/lock', 1, "refused\n  rule 'deny publish house/+/lock'"],
  ['--user cid --client c publish house/cid/x', 1, 'refused\n  no rule allows it'],
  ['subscribe public/+', 0, 'allowed'],
  ['--claim room=7 --role guest publish rooms/7', 0, '(here: rooms/7)'],
  ['--claim room=+ --role guest publish rooms/7', 1, 'no rule allows it'],
  ['--user zoe --group family publish house/zoe/x', 0, '(here: house/zoe/#)'],
  ['--claim room publish rooms/7', 2, "--claim is 'room', it must be NAME=VALUE"],
  ['publish $SYS/x', 1, "the topic is the broker's own"],
  ['publish a/#', 2, 'x-broker access: '],
  ['write a', 2, 'it takes publish, receive or subscribe'],
  ['--listener none publish a', 2, "--listener is 'none', it must be one of"],
])('x-broker access explain %s', ([parameters, status, why]) => {
  const result = explained(configured(rules), ...parameters.split(' '))
  expect(result.output).toContain(why)
  expect(result.status).toBe(status)
})

test('lines of an ACL file and roles of dynamic security are named', () => {
  const acl = configured('aclFile: DIR/acl', { acl: '# mine\nuser ann\ntopic read a/#\ntopic deny a/b\n' })
  expect(explained(acl, '--user', 'ann', 'receive', 'a/x').output).toMatch(/allowed\n {2}\/.*acl:3: read a\/#/)
  expect(explained(acl, '--user', 'ann', 'receive', 'a/b').output).toMatch(/refused\n {2}\/.*acl:4: deny a\/b/)
  expect(explained(acl, 'receive', 'a/b').output).toMatch(/no line of \/.*acl grants it/)
  const dynamic = configured('dynamicSecurityFile: DIR/d.json', {
    'd.json': JSON.stringify({
      clients: [{ username: 'ann', roles: [{ rolename: 'r' }] }],
      roles: [{ rolename: 'r', acls: [{ acltype: 'publishClientSend', topic: 'in/%u/#', allow: true }] }],
    }),
  })
  const of = (...parameters: string[]): string => explained(dynamic, '--user', ...parameters).output
  expect(of('ann', 'publish', 'in/ann/x')).toContain("role 'r' allows publishClientSend in/ann/#")
  expect(of('ann', 'publish', 'x')).toContain('no role says anything, and the default for publishClientSend denies')
  expect(of('bob', 'publish', 'x')).toContain('dynamic security knows no client of this name')
})

test('what is no rule ends with exit code 3, and file, line and what it must be', () => {
  const file = configured('rules:\n  - allow publish a\n  - permit publish a')
  const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', file, '--check-config'], {
    encoding: 'utf8',
  })
  expect(stderr).toContain(
    `${file}:6: access.rules[1] is 'permit publish a', it must be a rule that begins with allow or deny`,
  )
  expect(status).toBe(3)
  const roles = configured('roles: { r: [ann] }')
  expect(explained(roles, 'publish', 'a')).toMatchObject({ status: 3 })
  expect(explained(roles, 'publish', 'a').output).toContain('it must be user NAME, client ID or group NAME')
})

test('rules of the configuration hold, and SIGHUP ends subscriptions that they allow no longer', async () => {
  const file = configured(
    'allowAnonymous: true\nrules: [allow publish|subscribe|receive a/#, allow subscribe|receive b/#]',
  )
  const command = new StartedProcess(process.execPath, [commandFile, '-c', file])
  onTestFinished(() => command.stop())
  const url = `mqtt://127.0.0.1:${portOf(await listeningUrl(command))}`
  const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 5 })
  onTestFinished(() => void client.end(true))
  await expect(client.subscribeAsync('#')).rejects.toThrow()
  await client.subscribeAsync(['a/#', 'b/#'])
  await expect(client.publishAsync('b/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  writeFileSync(
    file,
    `listeners: [{ port: 0 }]\nstore: { memory: true }\naccess:\n  allowAnonymous: true\n  rules: [allow publish|subscribe|receive b/#, allow receive|publish a/#]\n`,
  )
  const seen: string[] = []
  client.on('message', topic => seen.push(topic))
  command.signal('SIGHUP')
  await command.line(/SIGHUP: configuration/)
  await client.publishAsync('a/x', '', { qos: 1 })
  await client.publishAsync('b/x', '', { qos: 1 })
  await expect.poll(() => seen).toContain('b/x')
  expect(seen).toEqual(['b/x'])
}, 120_000)
