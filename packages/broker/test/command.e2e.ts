import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { usage } from '../src/command/usage.ts'
import { clientEvent } from './client-event.ts'
import { connectWhenListening } from './connect-when-listening.ts'
import {
  StartedProcess,
  anyPort,
  commandFile,
  listeningUrl,
  oneProcess,
  portOf,
  startCommand,
} from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

function start(
  parameters: readonly string[] = anyPort,
  environment: Readonly<Record<string, string>> = {},
): StartedProcess {
  const command = startCommand(parameters, environment)
  onTestFinished(() => command.stop())
  return command
}

/** A client that is connected and never closes its side. */
async function stubbornClient(command: StartedProcess): Promise<void> {
  const socket = connect({ port: portOf(await listeningUrl(command)), host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => {
    socket.destroy()
  })
  // CONNECT, MQTT 3.1.1, clean session, keep alive 60 s, client identifier 's'
  socket.write(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x73]))
  socket.resume()
  await command.line(/client s connected/)
}

test('--help prints the usage to standard output', async () => {
  const command = start(['--help'])
  expect(await command.exited).toEqual({ code: 0, signal: null })
  expect(`${command.lines.join('\n')}\n`).toBe(usage)
  expect(command.stderr).toBe('')
})

test('--version prints the version of the package', async () => {
  const command = start(['--version'])
  expect(await command.exited).toEqual({ code: 0, signal: null })
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  expect(command.lines).toEqual([version])
})

test.for([[['--port', 'mqtt']], [['--log-level', 'loud']], [['--prot', '1883']], [['1883']]])(
  'a wrong command line ends with exit code 2 and what is wrong: %j',
  async ([parameters = []]) => {
    const command = start(parameters)
    expect(await command.exited).toEqual({ code: 2, signal: null })
    const [message, advice, ...rest] = command.stderr.split('\n')
    expect(message).toMatch(/^x-broker: /)
    expect(message).toContain(parameters[0])
    expect([advice, ...rest]).toEqual(['Try x-broker --help.', ''])
    expect(command.lines).toEqual([])
  },
)

test('a port that is taken ends with exit code 1 and one line that names the address and --port', async () => {
  const port = portOf(await listeningUrl(start()))
  const second = start(['--port', `${port}`, '--host', '127.0.0.1'])
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.stderr).toBe(
    `x-broker: 127.0.0.1:${port} is in use by another program; choose another with --port, --host or --listen\n`,
  )
})

test.for(['SIGTERM', 'SIGINT'] as const)('%s: clients get 0x8B, the port is free, exit code 0', async signal => {
  const parameters = ['--port', `${await freePort()}`, '--host', '127.0.0.1']
  const command = start(parameters)
  const url = await listeningUrl(command)
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 })
  const older = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 })
  const disconnected = clientEvent(client, 'disconnect')
  const closed = Promise.all([clientEvent(client, 'close'), clientEvent(older, 'close')])
  command.signal(signal)
  const [{ reasonCode }] = await disconnected
  expect(reasonCode).toBe(0x8b)
  await closed
  expect(await command.exited).toEqual({ code: 0, signal: null })
  expect(command.stderr).toBe('')
  expect(command.lines.at(-1)).toContain('"msg":"closed"')
  await listeningUrl(start(parameters))
})

test('a client that does not close its side delays the end only by closeTimeout', async () => {
  const command = start()
  await stubbornClient(command)
  command.signal('SIGTERM')
  expect(await command.exited).toEqual({ code: 0, signal: null })
})

test('a second signal ends at once, with exit code 1', async () => {
  const command = start()
  await stubbornClient(command)
  command.signal('SIGTERM')
  await command.line(/SIGTERM: closing/)
  command.signal('SIGINT')
  expect(await command.exited).toEqual({ code: 1, signal: null })
  expect(command.lines.at(-1)).not.toContain('"msg":"closed"')
})

test('without a terminal every line of the log is JSON, with who came and who went', async () => {
  // Workers have lines of their own.
  const command = start(anyPort, oneProcess)
  const client = await connectAsync(await listeningUrl(command), { clientId: 'hall' })
  await client.endAsync()
  await command.line(/client hall disconnected/)
  command.signal('SIGTERM')
  await command.exited
  const entries = command.lines.map(line => JSON.parse(line) as { msg: string; client?: string })
  expect(entries.map(({ msg, client: id }) => [msg, id])).toEqual([
    [expect.stringMatching(/^listening on mqtt:/), undefined],
    ['client hall connected', 'hall'],
    ['client hall disconnected: it said DISCONNECT', 'hall'],
    ['SIGTERM: closing', undefined],
    ['closed', undefined],
  ])
})

test('--log-level warn hides who comes and goes', async () => {
  const port = await freePort()
  const quiet = start(['--port', `${port}`, '--host', '127.0.0.1', '--log-level', 'warn'])
  const client = await connectWhenListening(`mqtt://127.0.0.1:${port}`)
  await client.endAsync()
  quiet.signal('SIGTERM')
  expect(await quiet.exited).toEqual({ code: 0, signal: null })
  expect(quiet.lines).toEqual([])
})

test('in a terminal the log is readable, and Ctrl-C closes', async context => {
  if (spawnSync('script', ['--version']).error !== undefined)
    context.skip('script is missing: apt-get install bsdutils')
  // `exec`, because not every shell gives way to its only command by itself, and one that stays dies of the Ctrl-C.
  const inTerminal = `exec ${[process.execPath, commandFile, '--memory', ...anyPort].map(part => `'${part}'`).join(' ')}`
  const terminal = new StartedProcess('script', ['-qec', inTerminal, '/dev/null'])
  onTestFinished(() => terminal.stop('SIGHUP'))
  const line = await terminal.line(/listening on/)
  expect(line).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*INFO.*listening on mqtt:\/\/127\.0\.0\.1:\d+/)
  terminal.write('\u0003')
  expect(await terminal.exited).toEqual({ code: 0, signal: null })
  expect(terminal.lines.join('\n')).toContain('closed')
})
