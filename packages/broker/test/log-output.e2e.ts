import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { anyPort, commandFile, listeningUrl, oneProcess, portOf, startCommand } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

/** The command behind a shell line in which `$0 "$@"` stands for it. */
function inShell(
  line: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): { readonly child: ChildProcess; stderr: () => string } {
  let stderr = ''
  const child = spawn('bash', ['-c', line, process.execPath, commandFile, '--memory', ...parameters], {
    detached: true,
    env: { ...process.env, ...environment },
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdout.resume()
  onTestFinished(() => {
    // The shell and all that it has started.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  })
  return { child, stderr: () => stderr }
}

/** A connection as soon as the port is listened on. */
async function connected(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const opened = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    if (opened) return socket
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** PINGREQ before CONNECT. */
async function refusedConnection(port: number): Promise<void> {
  const socket = await connected(port)
  socket.resume()
  socket.end(Buffer.from([0xc0, 0]))
  await once(socket, 'close')
}

async function expectService(port: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 })
  await client.publishAsync('t', 'x', { qos: 1 })
  await client.endAsync()
}

/** Enough connections for `bytes` of log. */
async function fillLog(port: number, lines: number): Promise<void> {
  for (let count = 0; count < lines; count += 20) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 })),
    )
    await Promise.all(clients.map(client => client.endAsync()))
  }
}

test.for([
  ['a full disk', '"$0" "$@" > /dev/full', 'ENOSPC'],
  ['a reader that has gone', '"$0" "$@" | true', 'EPIPE'],
])('%s neither ends nor holds the command, and is said once', async ([, line = '', code = '']) => {
  const port = await freePort()
  const { child, stderr } = inShell(line, ['--port', `${port}`, '--host', '127.0.0.1'])
  // The reader may take a line or two before it goes.
  await expect
    .poll(async () => {
      await refusedConnection(port)
      return stderr()
    })
    .toContain(`can't be written (${code})`)
  for (let count = 0; count < 5; count += 1) await refusedConnection(port)
  await expectService(port)
  expect(child.exitCode).toBeNull()
  expect(stderr().trimEnd().split('\n')).toHaveLength(1)
})

test('a reader that sleeps does not hold the command; what it missed is counted once it reads', async () => {
  const port = await freePort()
  const folder = temporaryFolder()
  const [gate, log] = [join(folder, 'gate'), join(folder, 'log')]
  const line = `"$0" "$@" 2>${folder}/errors | (while [ ! -e ${gate} ]; do sleep 0.05; done; exec cat > ${log})`
  // Of several workers each has a buffer of its own; and each client is to have its lines.
  const environment = { ...oneProcess, X_BROKER_LOG_MAXIMUM_RATE: '100000' }
  inShell(line, ['--port', `${port}`, '--host', '127.0.0.1', '--log-buffer', '2000'], environment)
  await connected(port).then(socket => socket.destroy())
  await fillLog(port, 600)
  await expectService(port)
  await expect
    .poll(() => readFileSync(join(folder, 'errors'), 'utf8'))
    .toBe("x-broker: the log can't be written (EAGAIN); 2000 bytes of it wait, further lines are dropped and counted\n")
  spawn('touch', [gate])
  const text = await settled(log, /were dropped/)
  const lines = text.trimEnd().split('\n')
  const records = lines.map(record => JSON.parse(record) as { msg: string; dropped?: number })
  const dropped = records.find(record => record.dropped !== undefined)
  expect(dropped?.msg).toBe(`${dropped?.dropped} line(s) of the log were dropped: the output took none`)
  expect(dropped?.dropped).toBeGreaterThan(100)
  // It goes on.
  await expectService(port)
  await settled(log, /were dropped[^]*connected/)
})

/** The file's text once it matches. */
async function settled(file: string, pattern: RegExp): Promise<string> {
  for (;;) {
    try {
      const text = readFileSync(file, 'utf8')
      if (pattern.test(text) && text.endsWith('\n')) return text
    } catch {
      // It is not there yet.
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

test('a client with a long identifier whose messages are refused does not fill the log', async () => {
  const command = startCommand([...anyPort])
  onTestFinished(() => command.stop())
  const port = portOf(await listeningUrl(command))
  const id = Buffer.alloc(60_000, 'x')
  const socket = await connected(port)
  // CONNECT, MQTT 5.0, clean start, no keep alive, an identifier of 60 000 bytes; 60 013 bytes remain
  socket.write(Buffer.from([0x10, 0xed, 0xd4, 0x03, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 0, 0, 0xea, 0x60]))
  socket.write(id)
  await once(socket, 'data')
  // PUBLISH, QoS 0, to '$SYS/x', without properties and payload
  const refused = Buffer.from([0x30, 9, 0, 6, 0x24, 0x53, 0x59, 0x53, 0x2f, 0x78, 0])
  for (let count = 0; count < 9; count += 1) socket.write(Buffer.concat(Array.from({ length: 100 }, () => refused)))
  // PINGREQ: all of it has been dealt with when it is answered.
  socket.write(Buffer.from([0xc0, 0]))
  await once(socket, 'data')
  await command.line(/NOT_AUTHORIZED/)
  expect(command.lines.join('\n').length).toBeLessThan(4000)
  command.signal('SIGTERM')
  await command.exited
  expect(command.lines.filter(line => line.includes('NOT_AUTHORIZED'))).toHaveLength(2)
  expect(command.lines.join('\n')).toContain('899 more like this in 10 s')
  expect(command.lines.join('\n').length).toBeLessThan(5000)
})

test.for([
  ['--help', '"$0" "$@" | true', 0, ''],
  ['--version', '"$0" "$@" | true', 0, ''],
  ['--nonsense', '"$0" "$@" 2> >(true)', 2, ''],
  ['--help', '"$0" "$@" > /dev/full', 1, "x-broker: the output can't be written: ENOSPC"],
  ['--nonsense', '"$0" "$@" 2> /dev/full', 2, ''],
] as const)('%s behind %s ends with %d', async ([option, line, code, said]) => {
  const { child, stderr } = inShell(`${line}; exit \${PIPESTATUS[0]}`, [option])
  expect(await once(child, 'close')).toEqual([code, null])
  expect(stderr()).toContain(said)
  expect(stderr().split('\n').length).toBeLessThanOrEqual(2)
})
