import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from './certificates.ts'
import { StartedProcess, anyPort, commandFile, listeningUrl, oneProcess, startCommand } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const authority = new Authority()
afterAll(() => authority.remove())

function start(parameters: readonly string[] = anyPort): StartedProcess {
  const command = startCommand(parameters)
  onTestFinished(() => command.stop())
  return command
}

/** What the command says before it ends with 1: all of it. */
async function complaint(parameters: readonly string[], code = 1): Promise<string> {
  const command = start(parameters)
  expect(await command.exited).toEqual({ code, signal: null })
  expect(command.lines).toEqual([])
  return command.stderr
}

describe.skipIf(!authority.works)('of keys and certificates', () => {
  const { certFile, keyFile } = authority.sign('localhost')
  const other = authority.sign('other')
  const encrypted = join(authority.directory, 'encrypted.key')
  const derKey = join(authority.directory, 'key.der')
  const derCert = join(authority.directory, 'cert.der')
  const text = join(authority.directory, 'text')
  const damaged = join(authority.directory, 'damaged.pem')
  spawnSync('openssl', ['pkey', '-in', keyFile, '-aes256', '-passout', 'pass:x', '-out', encrypted])
  spawnSync('openssl', ['pkey', '-in', keyFile, '-outform', 'der', '-out', derKey])
  spawnSync('openssl', ['x509', '-in', certFile, '-outform', 'der', '-out', derCert])
  writeFileSync(text, 'hello')
  writeFileSync(damaged, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')

  test.for<[string, string, string]>([
    [
      certFile,
      encrypted,
      `--tls-key ${encrypted}: the key is encrypted, it must not be: openssl pkey -in ${encrypted}`,
    ],
    [certFile, derKey, `--tls-key ${derKey}: it is DER, it must be PEM: openssl pkey -inform der -in ${derKey}`],
    [derCert, keyFile, `--tls-cert ${derCert}: it is DER, it must be PEM: openssl x509 -inform der -in ${derCert}`],
    [keyFile, certFile, `--tls-cert ${keyFile}: it holds a key, no certificate`],
    [certFile, certFile, `--tls-key ${certFile}: it holds a certificate, no key`],
    [certFile, other.keyFile, `--tls-key ${other.keyFile}: the key is not that of the certificate in ${certFile}`],
    [certFile, text, `--tls-key ${text}: it holds no private key`],
    [text, keyFile, `--tls-cert ${text}: it holds no certificate`],
    [damaged, keyFile, `--tls-cert ${damaged}: a certificate in it is damaged: `],
    ['/nowhere/cert', keyFile, '--tls-cert /nowhere/cert: there is no such file'],
    [certFile, authority.directory, `--tls-key ${authority.directory}: it is a directory`],
  ])('with --tls-cert %s and --tls-key %s one line says what is wrong', async ([cert, key, said]) => {
    const [line, ...rest] = (await complaint([...anyPort, '--tls-cert', cert, '--tls-key', key])).split('\n')
    expect(line).toContain(`x-broker: ${said}`)
    expect(rest).toEqual([''])
  })

  test('further servers, authorities and keys are named as well', async () => {
    const files = [...anyPort, '--tls-cert', certFile, '--tls-key', keyFile]
    expect(await complaint([...files, '--tls-server', `a.org=${certFile},${encrypted}`])).toContain(
      `x-broker: --tls-server a.org ${encrypted}: the key is encrypted`,
    )
    expect(await complaint([...files, '--tls-ca', text])).toBe(`x-broker: --tls-ca ${text}: it holds no certificate\n`)
    // As a line of a configuration.
    expect(await complaint([...files, '--tls-psk', text], 3)).toContain(`x-broker: --tls-psk ${text}:1: it must be`)
  })

  test('a SIGHUP that brings a bad file names it, and the old one stays', async () => {
    const key = join(authority.directory, 'changing.key')
    spawnSync('cp', [keyFile, key])
    const command = start([...anyPort, '--tls-cert', certFile, '--tls-key', key])
    await listeningUrl(command)
    spawnSync('cp', [encrypted, key])
    command.signal('SIGHUP')
    expect(await command.line(/SIGHUP/)).toContain(
      `SIGHUP: nothing has changed: --tls-key ${key}: the key is encrypted`,
    )
  })
})

test('SIGHUP without TLS ends nothing', async () => {
  const command = start()
  const url = await listeningUrl(command)
  command.signal('SIGHUP')
  await command.line(/SIGHUP: configuration, users, rules and certificates are read again/)
  await (await connectAsync(url)).endAsync()
})

test('a Redis that is not there is told once, with one cause', async () => {
  const port = await freePort()
  expect(await complaint([...anyPort, '--redis', `redis://user:secret@127.0.0.1:${port}`])).toBe(
    `x-broker: --redis: connect ECONNREFUSED 127.0.0.1:${port}\n`,
  )
})

test('a Unix socket that cannot be made is told by what is in the way', async () => {
  const directory = temporaryFolder()
  const file = join(directory, 'file')
  writeFileSync(file, 'kept')
  const advice = 'choose another with --port, --host or --listen\n'
  expect(await complaint(['-L', `mqtt+unix:${directory}/missing/x.sock`])).toBe(
    `x-broker: ${directory}/missing/x.sock can't be listened on: there is no directory ${directory}/missing; ${advice}`,
  )
  expect(await complaint(['-L', `mqtt+unix:${file}`])).toBe(
    `x-broker: ${file} can't be listened on: it is there already, and is no socket; ${advice}`,
  )
  // Node cuts it off, and listens elsewhere.
  expect(await complaint(['-L', `mqtt+unix:${directory}/${'x'.repeat(120)}`])).toMatch(
    /^x-broker: option socketPath has \d+ bytes, the operating system takes 10[37]\n$/,
  )
})

test('the log tells how clients have left', async () => {
  const command = start()
  const url = await listeningUrl(command)
  await (await connectAsync(url, { clientId: 'polite' })).endAsync()
  expect(await command.line(/client polite disconnected/)).toContain('client polite disconnected: it said DISCONNECT')
  const cut = await connectAsync(url, { clientId: 'lost', reconnectPeriod: 0 })
  cut.stream.destroy()
  const line = await command.line(/client lost disconnected/)
  expect(JSON.parse(line)).toMatchObject({ client: 'lost', reason: 'cut', msg: expect.stringContaining('was cut') })
})

test('with --log-level debug the log tells what clients subscribe to and publish, and no payload', async () => {
  // Workers have lines of their own.
  const command = startCommand([...anyPort, '--log-level', 'debug'], oneProcess)
  onTestFinished(() => command.stop())
  const client = await connectAsync(await listeningUrl(command), { clientId: 'hall' })
  await client.subscribeAsync(['a/#', 'b'], { qos: 1 })
  await client.publishAsync('a/b', 'secret', { qos: 1, retain: true })
  await client.publishAsync('a/\u001b[31m', Buffer.alloc(3000, 'secret'), { qos: 0 })
  await client.unsubscribeAsync('b')
  await client.endAsync()
  await command.line(/client hall disconnected/)
  const texts = command.lines.map(line => (JSON.parse(line) as { msg: string }).msg).slice(2, -1)
  expect(texts).toEqual([
    "client hall: SUBSCRIBE 'a/#' (QoS 1), 'b' (QoS 1)",
    "client hall: PUBLISH 'a/b' (QoS 1, retain, 6 bytes)",
    "client hall: PUBLISH 'a/\\u{1b}[31m' (QoS 0, 3000 bytes)",
    "client hall: UNSUBSCRIBE 'b'",
  ])
  expect(command.lines.join('\n')).not.toContain('secret')
})

test('in a terminal each event is one line, and a terminal that closes ends the command', async context => {
  if (spawnSync('script', ['--version']).error !== undefined)
    context.skip('script is missing: apt-get install bsdutils')
  const port = await freePort()
  const inTerminal = `exec ${[process.execPath, commandFile, '--port', `${port}`, '--host', '127.0.0.1', '--memory'].join(' ')}`
  const terminal = new StartedProcess('script', ['-qec', inTerminal, '/dev/null'])
  onTestFinished(() => terminal.stop())
  await terminal.line(/listening on/)
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'hall' })
  await client.endAsync()
  await terminal.line(/client hall disconnected/)
  const [listening, connected, disconnected, ...rest] = terminal.lines
  expect(listening).toContain('listening on')
  expect(connected).toMatch(/client hall connected.*"client":"hall".*"version":4/)
  expect(disconnected).toContain('client hall disconnected: it said DISCONNECT')
  expect(rest).toEqual([])
  await terminal.stop('SIGKILL')
  await expect.poll(() => isOpen(port)).toBe(false)
})

function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    onTestFinished(() => {
      socket.destroy()
    })
  })
}
