// Runs the client libraries of other languages against the command of this repository and prints what worked: `npm run clients`, or
// `npm run clients -- paho-c rumqttc`. A family whose toolchain is missing is skipped, with the command that installs it.
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { families } from './clients/families.ts'
import type { Family } from './clients/families.ts'

const cases = ['qos0', 'qos1', 'qos2', 'retained', 'will', 'queue', 'takeover', 'large'] as const
const transports = ['mqtt', 'mqtts', 'ws', 'wss'] as const
type Transport = (typeof transports)[number]

/** As pino numbers the levels of its log. */
const warning = 40
/** ms for all cases of one family over one transport. */
const patience = 90_000
const here = fileURLToPath(new URL('clients/', import.meta.url))
const command = fileURLToPath(new URL('../packages/broker/dist/command.js', import.meta.url))

const directory = mkdtempSync(join(tmpdir(), 'clients-'))
const broker = startBroker()
process.exitCode = 1
try {
  const urls = await listening(broker)
  const wanted = process.argv.slice(2)
  let failures = 0
  for (const family of families.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    failures += await run(family, urls)
  }
  process.exitCode = failures === 0 ? 0 : 1
} finally {
  broker.kill()
  rmSync(directory, { recursive: true })
}

function startBroker(): ChildProcess {
  const [ca, caKey] = [join(directory, 'ca.pem'), join(directory, 'ca.key')]
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const newKey = 'req -x509 -newkey rsa:2048 -nodes -days 2'.split(' ')
  // Some libraries take no certificate that signs itself for that of a server.
  const server = ['subjectAltName=DNS:localhost,IP:127.0.0.1', 'basicConstraints=critical,CA:FALSE']
  openssl(...newKey, ...named('/CN=Test authority', caKey, ca))
  openssl(
    ...newKey,
    ...named('/CN=localhost', key, cert),
    '-CA',
    ca,
    '-CAkey',
    caKey,
    ...server.flatMap(extension => ['-addext', extension]),
  )
  const listeners = transports.flatMap(transport => ['--listen', `${transport}://127.0.0.1:0`])
  const parameters = [command, '--memory', '--log-level', 'info', ...listeners, '--tls-cert', cert, '--tls-key', key]
  return spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
}

function named(name: string, keyFile: string, certFile: string): string[] {
  return ['-subj', name, '-keyout', keyFile, '-out', certFile]
}

function openssl(...parameters: string[]): void {
  const { status, error, stderr } = spawnSync('openssl', parameters)
  if (status !== 0) throw new Error(`openssl: ${error?.message ?? stderr.toString()}`)
}

function listening(child: ChildProcess): Promise<Record<Transport, string>> {
  if (child.stdout === null) throw new Error('the broker has no output')
  const urls: Partial<Record<Transport, string>> = {}
  const lines = createInterface(child.stdout)
  return new Promise((resolve, reject) => {
    lines.on('line', line => {
      const { url, level, msg } = JSON.parse(line) as { url?: string; level: number; msg: string }
      if (level >= warning) console.log(`    the broker says: ${msg}`)
      const found = transports.find(transport => url?.startsWith(`${transport}://`))
      // A certificate has a name, and some libraries look at that.
      if (found !== undefined && url !== undefined) urls[found] = url.replace('127.0.0.1', 'localhost')
      if (Object.keys(urls).length === transports.length) resolve(urls as Record<Transport, string>)
    })
    lines.on('close', () => reject(new Error('the broker has ended')))
  })
}

/** Returns how many cases have failed. */
async function run(family: Family, urls: Record<Transport, string>): Promise<number> {
  const missing = family.tools.find(tool => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  if (missing !== undefined) {
    console.log(`${family.name}: skipped, ${missing} is missing: ${family.install}`)
    return 0
  }
  const build = join(here, family.folder, '.build')
  if (!existsSync(build)) mkdirSync(build)
  for (const step of family.build) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', step], {
      cwd: join(here, family.folder),
      encoding: 'utf8',
    })
    if (status === 0) continue
    console.log(`${family.name}: skipped, it can't be built (${family.install}):\n${stdout}${stderr}`)
    return 0
  }
  console.log(`\n${family.name.padEnd(12)} ${cases.map(name => name.padEnd(9)).join('')}`)
  let failures = 0
  for (const transport of transports) {
    const results = await converse(family, urls[transport])
    const reasons = family.cannot ?? {}
    const shown = cases.map(name => {
      if (results.get(name) === 'ok') return 'ok'.padEnd(9)
      return (`${transport} ${name}` in reasons ? 'cannot' : 'FAILED').padEnd(9)
    })
    console.log(`  ${transport.padEnd(10)} ${shown.join('')}`)
    for (const name of cases) {
      const result = results.get(name)
      const reason = reasons[`${transport} ${name}`]
      if (result === 'ok') continue
      if (reason === undefined) failures += 1
      console.log(`    ${name}: ${reason ?? result ?? 'nothing was said'}`)
    }
  }
  return failures
}

/** What the family's program says of each case. */
async function converse(family: Family, url: string): Promise<ReadonlyMap<string, string>> {
  const program = spawn('sh', ['-c', `exec ${family.run}`, 'sh', url, join(directory, 'ca.pem')], {
    cwd: join(here, family.folder),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const timer = setTimeout(() => program.kill('SIGKILL'), patience)
  const results = new Map<string, string>()
  const lines = createInterface(program.stdout)
  lines.on('line', line => {
    const [, name, result] = /^(\w+) (ok|FAILED.*)$/.exec(line) ?? []
    if (name !== undefined && result !== undefined) results.set(name, result)
  })
  program.stderr.resume()
  await once(program, 'close')
  clearTimeout(timer)
  return results
}
