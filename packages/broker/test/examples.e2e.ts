import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from './certificates.ts'
import { StartedProcess, freePort, packageFolder } from './started-command.ts'
import { exchange } from './ways-in.ts'

const authority = new Authority()
afterAll(() => authority.remove())

/** The example as a user runs it, ready to be connected to. */
async function start(
  example: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ port: number; program: StartedProcess }> {
  const port = await freePort()
  const parameters = ['--import', 'tsx', '--conditions=@x/source', `examples/${example}.ts`]
  const program = new StartedProcess(process.execPath, parameters, { PORT: `${port}`, ...environment })
  onTestFinished(() => program.stop())
  await program.line(/listening/)
  return { port, program }
}

test('tcp.ts', async () => {
  const { port } = await start('tcp')
  await exchange(`mqtt://127.0.0.1:${port}`)
})

test('express.ts serves its pages and MQTT', async () => {
  const { port } = await start('express')
  await exchange(`ws://127.0.0.1:${port}/mqtt`)
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('1 clients')
})

test('fastify.ts serves its pages, and MQTT to those with a session', async () => {
  const { port } = await start('fastify')
  const url = `ws://127.0.0.1:${port}/mqtt`
  await exchange(url, { wsOptions: { headers: { Cookie: 'session=1' } } })
  await expect(exchange(url)).rejects.toMatchObject({ code: 5 })
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).json()).toEqual({ clients: 1 })
})

test('haproxy.ts behind haproxy.cfg knows where clients come from', async context => {
  if (process.env['CI'] !== 'true' && spawnSync('haproxy', ['-v']).error !== undefined) {
    context.skip('haproxy is missing: apt-get install haproxy')
  }
  const { port, program } = await start('haproxy')
  const front = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'haproxy-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'haproxy.cfg')
  const configuration = readFileSync(join(packageFolder, 'examples/haproxy.cfg'), 'utf8')
  writeFileSync(file, configuration.replace(':1883', `:${front}`).replace(':1884', `:${port}`))
  const haproxy = new StartedProcess('haproxy', ['-f', file, '-db'])
  onTestFinished(() => haproxy.stop())
  const come = (): Promise<boolean> =>
    exchange(`mqtt://127.0.0.1:${front}`, { clientId: 'kitchen' }).then(
      () => true,
      () => false,
    )
  await expect.poll(come, { timeout: 5000 }).toBe(true)
  await program.line(/^kitchen comes from 127\.0\.0\.1:\d+$/)
})

describe.skipIf(!authority.works)('with openssl', () => {
  const server = authority.sign('localhost')
  const { ca } = authority
  const files = { KEY: server.keyFile, CERT: server.certFile, CA: authority.caFile }

  test('tls.ts reads a renewed certificate', async () => {
    const { port, program } = await start('tls', files)
    await exchange(`mqtts://localhost:${port}`, { ca })
    program.signal('SIGHUP')
    await program.line(/certificate renewed/)
    await exchange(`mqtts://localhost:${port}`, { ca })
  })

  test('mutual-tls.ts lets each client publish below its name', async () => {
    const { port } = await start('mutual-tls', files)
    const { cert, key } = authority.sign('sensor-7')
    const client = await exchange(`mqtts://localhost:${port}`, {
      ca,
      cert,
      key,
      protocolVersion: 5,
      clientId: 'x',
      properties: { sessionExpiryInterval: 0 },
    }).catch((error: unknown) => error)
    // What `exchange` publishes is not below sensor-7/.
    expect(String(client)).toContain('Not authorized')
  })

  test('one-port.ts takes everything', async () => {
    const { port } = await start('one-port', files)
    for (const scheme of ['mqtt', 'mqtts', 'ws', 'wss']) await exchange(`${scheme}://localhost:${port}/mqtt`, { ca })
  })
})
