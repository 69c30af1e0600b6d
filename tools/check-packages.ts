// Packs every package, installs the tarballs into empty projects outside the workspace, and runs there what the packages promise:
// each part alone, from ESM, CommonJS and TypeScript. Prints what an installation weighs, beside Aedes's.
//
//   node --import tsx tools/check-packages.ts
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const workshop = mkdtempSync(join(tmpdir(), 'check-packages-'))
const pnpm = ['exec', '--yes', '--package=pnpm@12.20.0', '--', 'pnpm']

interface Manifest {
  readonly name: string
  readonly version: string
  readonly packageManager?: string
  readonly devDependencies?: Readonly<Record<string, string>>
}

interface Project {
  readonly name: string
  /** Our packages it asks for; what these need comes with them. */
  readonly packages: readonly string[]
  readonly others?: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, string>>
  readonly run: readonly (readonly [string, ...string[]])[]
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest
}

const folders = readdirSync(join(root, 'packages')).map(name => `packages/${name}`)
const typescript = manifestOf('.').devDependencies?.['typescript'] ?? ''
const nodeTypes = manifestOf('.').devDependencies?.['@types/node'] ?? ''

function run(command: readonly [string, ...string[]], directory: string): string {
  const [file, ...parameters] = command
  const { status, stdout, stderr, error } = spawnSync(file, parameters, { cwd: directory, encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

/** The tarballs by package name. */
function packAll(): Map<string, string> {
  const tarballs = new Map<string, string>()
  for (const folder of folders) {
    const { name, version } = manifestOf(folder)
    run(['npm', ...pnpm, 'pack', '--pack-destination', workshop], join(root, folder))
    tarballs.set(name, join(workshop, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`))
  }
  return tarballs
}

function checkShape(tarballs: ReadonlyMap<string, string>): void {
  for (const [name, tarball] of tarballs) {
    run(['npx', 'publint', '--strict', tarball], root)
    // What `require('@x/broker')` gives has itself as `default`, which can't be seen without running it.
    run(['npx', 'attw', '--profile', 'esm-only', '--ignore-rules', 'false-export-default', '--', tarball], root)
    console.log(`${name}: publint and attw find nothing`)
  }
}

/** The code block of a README that begins with these words. */
function blockOf(readme: string, beginning: string): string {
  const blocks = [...readFileSync(join(root, readme), 'utf8').matchAll(/```\w+\n([\s\S]*?)```/g)]
  const found = blocks.find(([, code]) => code?.startsWith(beginning))?.[1]
  if (found === undefined) throw new Error(`${readme} has no block that begins with ${beginning}`)
  return found
}

/** The indented lines of a README that are settings of Jest. */
function jestSettings(readme: string): string {
  const lines = readFileSync(join(root, readme), 'utf8').split('\n')
  const start = lines.findIndex(line => line.startsWith('    { "transform"'))
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('    '))
  return lines.slice(start, end).join('\n')
}

const trieProgram = `
const trie = new FilterTrie()
trie.add('a/+', 'key', 'value')
if (trie.match('a/b')[0] !== 'value') throw new Error('no match')
`
const codecProgram = `
const bytes = encode({ cmd: 'publish', topic: 'a', payload: Buffer.from('x'), qos: 0, retain: false, dup: false }, 5)
const [packet] = new Decoder({ protocolVersion: 5 }).push(bytes)
if (packet.topic !== 'a') throw new Error('no packet')
`
const brokerProgram = `
const broker = createBroker()
const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
const client = await connectAsync('mqtt://127.0.0.1:' + port)
const received = new Promise(resolve => client.once('message', resolve))
await client.subscribeAsync('a')
await client.publishAsync('a', 'x', { qos: 1 })
if ((await received) !== 'a') throw new Error('no message')
await client.endAsync()
await broker.close()
`
const engineTest = `
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { Broker } from '@x/broker-core'
import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { MapPersistence } from './map-persistence.js'

await persistenceCompliance({ test, factory: () => new MapPersistence() })

test('the engine serves clients with it', async () => {
  const broker = new Broker({ persistence: new MapPersistence() })
  const server = createServer(broker.handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect(server.address().port, '127.0.0.1')
  socket.write(Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 1, 0x63]))
  const [connack] = await once(socket, 'data')
  if (connack.toString('hex') !== '20020000') throw new Error('no CONNACK')
  socket.destroy()
  await broker.close()
  server.close()
})
`
const typedProgram = `
import aedes, { createBroker } from '@x/broker'
import type { AuthenticateHook, Broker } from '@x/broker'
import { FilterTrie } from '@x/topic-trie'

const authenticate: AuthenticateHook = (_client, username, _password, done) => done(null, username === 'ann')
const brokers: Broker[] = [createBroker({ authenticate }), aedes(), new aedes.Server()]
const trie = new FilterTrie<number>()
const values: readonly number[] = trie.match('a')
for (const broker of brokers) void broker.close()
console.log(values.length)
`
const bundled = `
const { createServer } = require('node:net')
const aedes = require('@x/broker')
const { connectAsync } = require('mqtt')
const broker = aedes()
if (!(broker instanceof aedes.Aedes) || !/^\\d/.test(broker.version)) throw new Error('no broker')
const server = createServer(broker.handle).listen(0, '127.0.0.1', async () => {
  const client = await connectAsync('mqtt://127.0.0.1:' + server.address().port)
  const received = new Promise(resolve => client.once('message', resolve))
  await client.subscribeAsync('a')
  await client.publishAsync('a', 'x', { qos: 1 })
  if ((await received) !== 'a') throw new Error('no message')
  await client.endAsync()
  await broker.close()
  server.close()
})
`
const jestTest = `
const { Aedes } = require('@x/broker')
test('a broker in a test', async () => {
  const broker = await Aedes.createBroker()
  expect(broker.closed).toBe(false)
  await broker.close()
})
`
const compilerOptions = { strict: true, noEmit: true, target: 'es2023', skipLibCheck: false, types: ['node'] }
const typed = (options: object): string =>
  JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, include: ['*.ts'] })
const esm = JSON.stringify({ type: 'module', private: true })
const commonjs = JSON.stringify({ type: 'commonjs', private: true })
const plainStore = blockOf('packages/contract/WRITING.md', 'import { PersistenceError')

const projects: readonly Project[] = [
  {
    name: 'the trie alone',
    packages: ['@x/topic-trie'],
    files: {
      'package.json': esm,
      'esm.mjs': `import { FilterTrie } from '@x/topic-trie'${trieProgram}`,
      'required.cjs': `const { FilterTrie } = require('@x/topic-trie')${trieProgram}`,
    },
    run: [
      ['node', 'esm.mjs'],
      ['node', 'required.cjs'],
    ],
  },
  {
    name: 'the codec alone',
    packages: ['@x/packet'],
    files: {
      'package.json': esm,
      'esm.mjs': `import { Decoder, encode } from '@x/packet'${codecProgram}`,
      'required.cjs': `const { Decoder, encode } = require('@x/packet')${codecProgram}`,
    },
    run: [
      ['node', 'esm.mjs'],
      ['node', 'required.cjs'],
    ],
  },
  {
    name: "the engine with a store of one's own",
    packages: ['@x/broker-core', '@x/contract', '@x/topic-trie'],
    others: { typescript, '@types/node': nodeTypes },
    files: {
      'package.json': esm,
      'map-persistence.ts': plainStore,
      'store.test.js': engineTest,
      'tsconfig.json': JSON.stringify({
        compilerOptions: { ...compilerOptions, noEmit: false, module: 'nodenext', skipLibCheck: true },
        include: ['map-persistence.ts'],
      }),
    },
    run: [
      ['npx', 'tsc', '-p', '.'],
      ['node', '--test', 'store.test.js'],
    ],
  },
  {
    name: 'the whole broker, from ESM and CommonJS',
    packages: ['@x/broker'],
    others: { mqtt: '5.16.0' },
    files: {
      'package.json': commonjs,
      'esm.mjs': `import { createBroker } from '@x/broker'\nimport { connectAsync } from 'mqtt'\n${brokerProgram}`,
      'required.cjs': `const { createBroker } = require('@x/broker')\nconst { connectAsync } = require('mqtt')\n;(async () => {${brokerProgram}})()`,
    },
    run: [
      ['node', 'esm.mjs'],
      ['node', '--throw-deprecation', 'required.cjs'],
      ['npx', 'x-broker', '--version'],
    ],
  },
  {
    name: 'the whole broker, bundled into one file of CommonJS, and in Jest',
    packages: ['@x/broker'],
    others: {
      mqtt: '5.16.0',
      esbuild: '0.28.2',
      '@vercel/ncc': '0.45.0',
      jest: '30.5.2',
      '@babel/plugin-transform-modules-commonjs': '7.29.14',
    },
    files: {
      'package.json': commonjs,
      'program.js': bundled,
      'jest.config.json': jestSettings('packages/broker/README.md'),
      'broker.test.js': jestTest,
    },
    run: [
      ['npx', 'esbuild', 'program.js', '--bundle', '--platform=node', '--format=cjs', '--outfile=esbuild/program.cjs'],
      ['npx', 'ncc', 'build', 'program.js', '--quiet', '--out', 'ncc'],
      ['npx', 'jest'],
      ['mv', 'node_modules', 'elsewhere'],
      ['node', 'esbuild/program.cjs'],
      ['node', 'ncc/index.js'],
    ],
  },
  {
    name: 'the whole broker, from TypeScript',
    packages: ['@x/broker', '@x/topic-trie'],
    others: { typescript, '@types/node': nodeTypes },
    files: {
      'package.json': esm,
      'program.ts': typedProgram,
      'nodenext.json': typed({ module: 'nodenext', moduleResolution: 'nodenext' }),
      'bundler.json': typed({ module: 'esnext', moduleResolution: 'bundler' }),
    },
    run: [
      ['npx', 'tsc', '-p', 'nodenext.json'],
      ['npx', 'tsc', '-p', 'bundler.json'],
    ],
  },
]

/** Each way to find types, by each TypeScript that programs may have: module, moduleResolution, and whether the program may be
 * CommonJS. */
const resolutions = [
  ['commonjs', 'node10', 'commonjs'],
  ['node16', 'node16', 'module'],
  ['nodenext', 'nodenext', 'module'],
  ['esnext', 'bundler', 'module'],
] as const
const oldTypescripts = { 'typescript-5.0': 'npm:typescript@5.0.4', 'typescript-5.9': 'npm:typescript@5.9.3' }

const aedesProject: Project = {
  name: 'a program written for Aedes, from TypeScript 5',
  packages: ['@x/broker'],
  others: { ...oldTypescripts, '@types/node': nodeTypes },
  files: {
    'package.json': commonjs,
    ...Object.fromEntries(
      resolutions.flatMap(([module, moduleResolution, type]) => [
        [`${moduleResolution}/package.json`, JSON.stringify({ type })],
        [
          `${moduleResolution}/program.ts`,
          readFileSync(join(root, 'tools/check-packages/aedes-program.ts.txt'), 'utf8'),
        ],
        [
          `${moduleResolution}/tsconfig.json`,
          typed({ module, moduleResolution, target: 'es2022', esModuleInterop: true, skipLibCheck: false }),
        ],
      ]),
    ),
  },
  run: Object.keys(oldTypescripts).flatMap(typescriptName =>
    resolutions.map(
      ([, moduleResolution]) => ['node', `node_modules/${typescriptName}/bin/tsc`, '-p', moduleResolution] as const,
    ),
  ),
}

/** Installs into an empty folder. Our packages are given all: npm would look for them in the registry otherwise. */
function install(directory: string, packages: readonly string[], others: Readonly<Record<string, string>>): void {
  const overrides = Object.fromEntries([...tarballs].map(([name, tarball]) => [name, `file:${tarball}`]))
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as object
  const dependencies = { ...others, ...Object.fromEntries(packages.map(name => [name, overrides[name]])) }
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...manifest, dependencies, overrides }))
  run(['npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', '--omit=peer'], directory)
}

function makeProject({ name, packages, others = {}, files, run: commands }: Project): void {
  const directory = mkdtempSync(join(workshop, 'project-'))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    writeFileSync(join(directory, file), text)
  }
  install(directory, packages, others)
  for (const command of commands) run(command, directory)
  console.log(`${name}: ${commands.map(command => command.join(' ')).join(', ')}`)
}

/** What an installation weighs: packages and bytes. */
function weigh(packages: readonly string[], others: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(workshop, 'weight-'))
  writeFileSync(join(directory, 'package.json'), esm)
  install(directory, packages, others)
  const modules = join(directory, 'node_modules')
  const kilobytes = Number(execFileSync('du', ['-sk', '--apparent-size', modules], { encoding: 'utf8' }).split('\t')[0])
  const lock = JSON.parse(readFileSync(join(directory, 'package-lock.json'), 'utf8')) as { packages: object }
  return `${Object.keys(lock.packages).length - 1} packages, ${(kilobytes / 1024).toFixed(1)} MB`
}

mkdirSync(workshop, { recursive: true })
const tarballs = packAll()
try {
  checkShape(tarballs)
  for (const project of [...projects, aedesProject]) makeProject(project)
  for (const name of ['@x/topic-trie', '@x/packet', '@x/broker-core', '@x/broker']) {
    console.log(`installed ${name}: ${weigh([name], {})}`)
  }
  console.log(`installed aedes 1.2.0: ${weigh([], { aedes: '1.2.0' })}`)
} finally {
  rmSync(workshop, { recursive: true, force: true })
}
