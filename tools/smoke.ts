// Tries on each engine what a broker does for its clients: `npm run smoke`. Fails when a step fails that is not listed as a fault of the
// engine itself, and when packages/broker/ENGINES.md says something else.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { engine, engineVersion } from './engines.ts'
import type { EngineName } from './engines.ts'

interface Engine {
  readonly name: EngineName
  readonly major: string
  /** Before the program. */
  readonly parameters: readonly string[]
  /** What this engine can't do, and what it says instead. */
  readonly lacks: Readonly<Record<string, RegExp>>
}

const engines: readonly Engine[] = [
  { name: 'node', major: '20', parameters: [], lacks: {} },
  { name: 'node', major: '22', parameters: [], lacks: {} },
  { name: 'node', major: '24', parameters: [], lacks: {} },
  { name: 'node', major: '26', parameters: [], lacks: {} },
  { name: 'bun', major: '1', parameters: [], lacks: { psk: /accepts no client with a pre-shared key/ } },
  { name: 'deno', major: '2', parameters: ['run', '-A'], lacks: { psk: /accepts no client with a pre-shared key/ } },
]
const steps = ['import', 'require', 'mqtt', 'mqtts', 'ws', 'wss', 'psk', 'close', 'command'] as const
/** ms for all steps of an engine. */
const patience = 90_000

const path = (file: string): string => fileURLToPath(new URL(`../packages/broker/${file}`, import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'smoke-'))
const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]

function makeCertificate(): void {
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const made = spawnSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert])
  if (made.status !== 0) throw new Error('openssl is missing: apt-get install openssl')
}

/** What each step came to. */
function exchange(binary: string, parameters: readonly string[]): Map<string, string> {
  const { stdout, stderr } = spawnSync(binary, [...parameters, path('test/engines/exchange.mjs')], {
    cwd: path(''),
    encoding: 'utf8',
    env: { ...process.env, KEY: key, CERT: cert },
    timeout: patience,
  })
  const lines = stdout.split('\n').flatMap(line => {
    const colon = line.indexOf(': ')
    return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 2)] as const]
  })
  if (stderr !== '') console.error(stderr)
  return new Map(lines)
}

/** Starts the command, and ends it by a signal. */
async function command(binary: string, parameters: readonly string[]): Promise<string> {
  const options = ['--port', '0', '--host', '127.0.0.1', '--memory']
  const child = spawn(binary, [...parameters, path('dist/command.js'), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const late = setTimeout(() => child.kill('SIGKILL'), patience)
  const lines: string[] = []
  createInterface(child.stdout).on('line', line => {
    lines.push(line)
    if (line.includes('listening on')) child.kill('SIGTERM')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  const closed = lines.some(line => line.includes('"closed"'))
  return code === 0 && closed ? 'works' : `ends with ${code} and ${closed ? '' : 'not '}closed`
}

makeCertificate()
/** Rows of the table in ENGINES.md, without what aligns them. */
const told = new Set(readFileSync(path('ENGINES.md'), 'utf8').replaceAll(/ +/g, ' ').split('\n'))
let failures = 0
console.log(`| engine | ${steps.join(' | ')} |\n| --- |${' --- |'.repeat(steps.length)}`)
try {
  for (const { name, major, parameters, lacks } of engines) {
    const binary = engine(name, major)
    const results = exchange(binary, parameters)
    results.set('command', await command(binary, parameters))
    const cells = steps.map(step => {
      const result = results.get(step) ?? 'was not tried'
      if (result === 'works') return 'yes'
      if (lacks[step]?.test(result) === true) return 'refused at start'
      failures += 1
      return `FAILS: ${result}`
    })
    const title = `${name.charAt(0).toUpperCase()}${name.slice(1)} ${engineVersion(name, major)}`
    const row = `| ${title} | ${cells.join(' | ')} |`
    console.log(row)
    if (told.has(row)) continue
    failures += 1
    console.error(`packages/broker/ENGINES.md lacks this row: ${row}`)
  }
} finally {
  rmSync(directory, { recursive: true })
}
process.exitCode = failures === 0 ? 0 : 1
