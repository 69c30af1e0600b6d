// Makes a fresh clone ready with nothing but Node and npm: installs when something it depends on changed, and builds
// when asked to (--build). No dependency of its own: it runs before there is any.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = join(root, 'node_modules', '.setup-stamp')
const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Everything that decides what an installation looks like. */
function installInputs() {
  const packages = readdirSync(join(root, 'packages')).map(name => join('packages', name, 'package.json'))
  return [
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'package.json',
    'benchmarks/package.json',
    'tools/chaos/package.json',
    'tools/reliability/package.json',
    ...packages.sort(),
  ].filter(file => existsSync(join(root, file)))
}

function stamp() {
  const hash = createHash('sha256').update(process.version)
  for (const file of installInputs()) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

/** What it prints is shown when it fails, and at once where that is asked for. */
function run(command, args, { purpose, output = 'inherit' }) {
  const settings = { cwd: root, stdio: ['ignore', output, output], encoding: 'utf8', maxBuffer: 67_108_864 }
  const { status, error, stdout, stderr } = spawnSync(command, args, settings)
  if (status === 0) return
  if (output === 'pipe') process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  console.error(`setup: ${purpose} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
  process.exit(status ?? 1)
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`setup: Node ${process.versions.node} is too old, ${rootManifest.engines.node} is needed`)
  process.exit(1)
}

const wanted = stamp()
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== wanted) {
  // npm and pnpm would say in twenty lines how far they are.
  console.error('setup: installing dependencies, which takes some seconds (only when they change)')
  const pnpm = ['exec', '--yes', `--package=${rootManifest.packageManager}`, '--', 'pnpm']
  const install = [...pnpm, 'install', '--frozen-lockfile', '--reporter=append-only']
  run('npm', install, { purpose: 'installing dependencies', output: 'pipe' })
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stampFile, wanted)
}
if (process.argv.includes('--build'))
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'tools'], { purpose: 'the build' })
