import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'
import { StartedProcess, commandFile, listeningUrl, portOf } from './started-command.ts'

// Each kind of file that a configuration names, with each kind of line that is wrong in it.

const hash = `$6$${Buffer.alloc(12).toString('base64')}$${Buffer.alloc(64).toString('base64')}`

/** A line that is wrong, and what is said of it. */
type Fault = readonly [line: string | Buffer, reason: RegExp]

const faults: Readonly<Record<'users' | 'acl' | 'keys' | 'x.yaml', readonly Fault[]>> = {
  users: [
    [`:${hash}`, /the user name is empty/],
    ['bob:', /user 'bob' has no password/],
    ['bob:plain', /user 'bob'/],
    ['bob:$5$x$y', /user 'bob'/],
    ['bob:$6$x', /user 'bob'/],
    ['bob:$6$$', /user 'bob'/],
    [hash.replace('$6$', 'bob:$6$!'), /user 'bob'/],
    ['bob:$7$0$AAAAAAAAAAAAAAAA$x', /user 'bob'/],
    ['bob:$7$x$AAAAAAAAAAAAAAAA$x', /user 'bob'/],
    ['bob:$argon2id$v=19$m=1$x$y', /user 'bob'/],
    [`ann:${hash}`, /user 'ann' stands there twice/],
    [`bob:${'x'.repeat(65_536)}`, /exceeds 65535 bytes/],
    [Buffer.from([0x62, 0xe9, 0x3a, 0x78]), /it is no UTF-8/],
  ],
  acl: [
    ['topik a', /topik/],
    ['topic', /topic/],
    ['topic reed a', /reed/],
    ['topic a/#/b', /a\/#\/b/],
    ['topic read a+', /a\+/],
    ['user', /user/],
    ['pattern', /pattern/],
    ['pattern write a#', /a#/],
    [' # text', /./],
    ['TOPIC a', /TOPIC/],
    [Buffer.from([0x74, 0xe9]), /it is no UTF-8/],
  ],
  keys: [
    ['bob', /an identity, a colon, and a key/],
    [':c0ffee', /an identity, a colon, and a key/],
    ['bob:', /an identity, a colon, and a key/],
    ['bob:xyz', /an identity, a colon, and a key/],
    ['bob:c0ffe', /an identity, a colon, and a key/],
  ],
  'x.yaml': [
    ['nonsense: 1', /nonsense is unknown/],
    ['workers: many', /workers is 'many'/],
    ['log: { level: loud }', /log\.level is 'loud'/],
    ['limits: { maximumInflight: -1 }', /limits\.maximumInflight is -1/],
    ['limits: [', /./],
    ['\tlog: x', /./],
  ],
}

interface Files {
  readonly conf: string
  write(name: keyof typeof faults, line: string | Buffer | undefined): void
}

/** Good files, the faulty line in the second place. */
function files(): Files {
  const directory = temporaryFolder()
  const at = (name: string): string => join(directory, name)
  const good: Readonly<Record<keyof typeof faults, string>> = {
    users: `ann:${hash}`,
    acl: 'topic kept',
    keys: 'ann:c0ffee',
    'x.yaml': `listeners: [{ port: 0, access: { allowAnonymous: true, aclFile: ${at('acl')} } }, { port: 0, protocols: [mqtts], tls: { psk: ${at('keys')} }, access: { passwordFile: ${at('users')} } }]`,
  }
  const write = (name: keyof typeof faults, line: string | Buffer | undefined): void => {
    const rest = line === undefined ? [] : [Buffer.from(line), Buffer.from('\n')]
    writeFileSync(at(name), Buffer.concat([Buffer.from(`${good[name]}\n`), ...rest]))
  }
  for (const name of Object.keys(faults) as (keyof typeof faults)[]) write(name, undefined)
  return { conf: at('x.yaml'), write }
}

const kinds = Object.keys(faults) as (keyof typeof faults)[]

test.for(kinds)('a broker that runs says of each wrong line in %s which one it is, and changes nothing', async kind => {
  const { conf, write } = files()
  const command = new StartedProcess(process.execPath, [commandFile, '-c', conf, '--memory'])
  onTestFinished(() => command.stop())
  const port = portOf(await listeningUrl(command))
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, reconnectPeriod: 0 })
  onTestFinished(() => void client.end(true))
  let said = command.lines.length
  for (const [line, reason] of faults[kind]) {
    write(kind, line)
    command.signal('SIGHUP')
    const report = (): string | undefined => command.lines.slice(said).find(one => one.includes('SIGHUP'))
    await expect.poll(report).toBeDefined()
    expect(report()).toMatch(/nothing has changed: /)
    // What a YAML file lacks is missing behind its last line.
    expect(report()).toMatch(new RegExp(`${kind}:[23]: `))
    expect(report()).toMatch(reason)
    said = command.lines.length
  }
  await client.publishAsync('kept', '', { qos: 1 })
  await expect(client.publishAsync('other', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  write(kind, undefined)
  command.signal('SIGHUP')
  await command.line(/SIGHUP: configuration, users/)
})

test.for(kinds)('--check-config ends with 3 and names the line in %s', kind => {
  const { conf, write } = files()
  const [[line, reason] = ['', /./]] = faults[kind]
  write(kind, line)
  const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', conf, '--check-config'], {
    encoding: 'utf8',
  })
  expect(stderr).toContain(`${kind}:2: `)
  expect(stderr).toMatch(reason)
  expect(status).toBe(3)
})

test('with no descriptor left a SIGHUP changes nothing', async () => {
  const { conf } = files()
  const command = new StartedProcess(process.execPath, [commandFile, '-c', conf, '--memory'])
  onTestFinished(() => command.stop())
  const port = portOf(await listeningUrl(command))
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, reconnectPeriod: 0 })
  onTestFinished(() => void client.end(true))
  const limit = (descriptors: number): unknown =>
    spawnSync('prlimit', [`--nofile=${descriptors}:`, '--pid', String(command.pid)], { encoding: 'utf8' }).status
  expect(limit(3)).toBe(0)
  command.signal('SIGHUP')
  expect(await command.line(/SIGHUP/)).toMatch(/nothing has changed: .*EMFILE/)
  expect(limit(1024)).toBe(0)
  await client.publishAsync('kept', '', { qos: 1 })
  await expect(client.publishAsync('other', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
})
