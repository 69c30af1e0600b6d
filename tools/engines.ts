// Other engines than the one that runs this: their binaries are packages of npm, kept in node_modules/.cache/engines.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type EngineName = 'node' | 'bun' | 'deno'

/** The versions that are tried, so that a run today and one tomorrow try the same. */
const versions: Readonly<Record<string, string>> = {
  'node 20': '20.20.2',
  'node 22': '22.23.3',
  'node 24': '24.21.0',
  'node 26': '26.9.0',
  'bun 1': '1.4.5',
  'deno 2': '2.9.6',
}

const cache = fileURLToPath(new URL('../node_modules/.cache/engines/', import.meta.url))

interface Binary {
  /** What npm calls the package for this machine. */
  readonly packageName: string
  readonly file: string
}

function binaryOf(name: EngineName): Binary {
  const machine = `${process.platform}-${process.arch}`
  const binaries: Readonly<Record<EngineName, Binary>> = {
    node: { packageName: `node-${machine}`, file: 'bin/node' },
    bun: { packageName: `@oven/bun-${machine}`, file: 'bin/bun' },
    deno: { packageName: `@deno/${process.platform === 'linux' ? `${machine}-glibc` : machine}`, file: 'deno' },
  }
  return binaries[name]
}

/** Its version. @throws Error for one that is not listed */
export function engineVersion(name: EngineName, major: string): string {
  const version = versions[`${name} ${major}`]
  if (version !== undefined) return version
  throw new Error(`${name} ${major} is not among the engines: ${Object.keys(versions).join(', ')}`)
}

/** The binary of an engine, such as `engine('node', '24')`; installed when it isn't there.
 * @throws Error for a version that is not listed, and when npm can't install it */
export function engine(name: EngineName, major: string): string {
  const version = engineVersion(name, major)
  const { packageName, file } = binaryOf(name)
  const folder = join(cache, `${name}-${version}`)
  const binary = join(folder, 'node_modules', packageName, file)
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  const parameters = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund']
  const { status, stderr } = spawnSync('npm', [...parameters, '--prefix', folder, `${packageName}@${version}`], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (status !== 0 || !existsSync(binary)) throw new Error(`${packageName}@${version} can't be installed: ${stderr}`)
  chmodSync(binary, 0o755)
  return binary
}
