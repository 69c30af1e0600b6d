import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { readAuthorities } from '../src/command/authority-files.ts'
import { Authority } from './certificates.ts'
import { StartedProcess, commandFile, listeningUrl, oneProcess, portOf } from './started-command.ts'
import { exchange, nextClient, openWay } from './ways-in.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const root = new Authority()
const signing = root.works ? new Authority(root) : root
afterAll(() => {
  for (const authority of new Set([root, signing])) authority.remove()
})

/** The command with a file of Mosquitto's. */
function started(directory: string, lines: readonly string[]): StartedProcess {
  const file = join(directory, 'm.conf')
  writeFileSync(file, ['log_dest stdout', ...lines, ''].join('\n'))
  const command = new StartedProcess(process.execPath, [commandFile, '-c', file], oneProcess)
  onTestFinished(() => command.stop())
  return command
}

/** Files of a certificate of `authority`, and of that authority with the root. */
class Files {
  readonly directory: string = temporaryFolder()
  readonly cert: string = join(this.directory, 'cert.pem')
  readonly key: string = join(this.directory, 'key.pem')
  readonly ca: string = join(this.directory, 'ca.pem')

  write(authority: Authority): void {
    const leaf = authority.sign('localhost')
    writeFileSync(this.cert, leaf.cert)
    writeFileSync(this.key, leaf.key)
    writeFileSync(this.ca, Buffer.concat([authority.ca, root.ca]))
  }
}

describe.skipIf(!root.works)('with openssl', () => {
  /** Names in the chain that a server shows to a client that knows the root alone. */
  async function shownChain(port: number): Promise<string[]> {
    const socket = connectTls({ port, host: '127.0.0.1', ca: root.ca, servername: 'localhost' })
    onTestFinished(() => {
      socket.destroy()
    })
    await once(socket, 'secureConnect')
    const names: string[] = []
    for (let one = socket.getPeerX509Certificate(); one !== undefined; one = one.issuerCertificate)
      names.push(one.subject)
    return names
  }

  const whole = ['CN=localhost', 'CN=Signing authority']

  test.for(['mqtt', 'websockets'])('cafile completes the chain over %s, also after SIGHUP', async protocol => {
    const files = new Files()
    files.write(signing)
    const command = started(files.directory, [
      `listener ${await freePort()} 127.0.0.1`,
      `protocol ${protocol}`,
      `certfile ${files.cert}`,
      `keyfile ${files.key}`,
      `cafile ${files.ca}`,
    ])
    const port = portOf(await listeningUrl(command))
    expect(await shownChain(port)).toEqual(expect.arrayContaining(whole))
    const another = new Authority(root)
    onTestFinished(() => another.remove())
    files.write(another)
    command.signal('SIGHUP')
    await command.line(/are read again/)
    expect(await shownChain(port)).toEqual(expect.arrayContaining(whole))
  })

  test('capath completes the chain, and says who signs certificates of clients', async () => {
    const files = new Files()
    files.write(signing)
    const command = started(files.directory, [
      `listener ${await freePort()} 127.0.0.1`,
      'allow_anonymous true',
      `certfile ${files.cert}`,
      `keyfile ${files.key}`,
      `capath ${signing.hashed('both', [signing.caFile, root.caFile])}`,
      'require_certificate true',
    ])
    const url = `mqtts://localhost:${portOf(await listeningUrl(command))}`
    const { cert, key } = signing.sign('sensor')
    await exchange(url, { ca: root.ca, cert, key })
    await expect(exchange(url, { ca: root.ca })).rejects.toThrow()
  })

  test('a bridge takes authorities of bridge_capath, and shows its certificate with them', async () => {
    const files = new Files()
    files.write(signing)
    const { broker, port } = await openWay({ tls: { ...root.sign('localhost'), ca: root.ca, requestCert: true } })
    const ready = nextClient(broker)
    const command = started(files.directory, [
      `listener ${await freePort()} 127.0.0.1`,
      'connection house',
      `address localhost:${port}`,
      'topic #',
      'remote_clientid bridge',
      `bridge_capath ${signing.hashed('ours', [signing.caFile, root.caFile])}`,
      `bridge_certfile ${files.cert}`,
      `bridge_keyfile ${files.key}`,
    ])
    await listeningUrl(command)
    expect((await ready).id).toBe('bridge')
  })

  test('certificates of a file and of a directory are taken together', () => {
    const directory = signing.hashed('some', [root.caFile])
    const read = readAuthorities({ ca: signing.caFile, caDirectory: directory }, '')
    expect(read?.toString()).toContain(signing.ca.toString())
    expect(read?.toString()).toContain(root.ca.toString())
    mkdirSync(join(signing.directory, 'none'))
    const none = { ca: signing.caFile, caDirectory: join(signing.directory, 'none') }
    expect(readAuthorities(none, '')?.toString().trim()).toBe(signing.ca.toString().trim())
  })
})

test('a directory that OpenSSL would find nothing in is refused, with what makes its names', () => {
  const directory = temporaryFolder()
  writeFileSync(join(directory, 'ca.pem'), 'x')
  expect(() => readAuthorities({ caDirectory: directory }, '--tls-')).toThrow(
    `--tls-caDirectory ${directory}: it has no file with OpenSSL's name for a certificate, such as 9d66eef0.0: openssl rehash ${directory}`,
  )
  const file = join(directory, 'ca.pem')
  expect(() => readAuthorities({ caDirectory: file }, '')).toThrow(`caDirectory ${file}: it is no directory`)
  writeFileSync(join(directory, '9d66eef0.0'), 'x')
  expect(() => readAuthorities({ caDirectory: directory }, '')).toThrow(
    `caDirectory ${directory}/9d66eef0.0: it holds no certificate`,
  )
})
