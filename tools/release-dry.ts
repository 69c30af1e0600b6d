// Shows what a release would be, and publishes nothing: `npm run release:dry`. In a copy of the last commit it builds, checks, gives the
// versions that the changesets ask for, packs each package, and prints versions, sizes and the beginnings of the changelogs.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const workshop = mkdtempSync(join(tmpdir(), 'release-dry-'))
const copy = join(workshop, 'repository')
const tarballs = join(workshop, 'tarballs')
const pnpm = ['exec', '--yes', '--package=pnpm@12.20.0', '--', 'pnpm']
const kilobyte = 1024

function run(directory: string, [file, ...parameters]: readonly [string, ...string[]]): void {
  const { status, stdout, stderr } = spawnSync(file, parameters, { cwd: directory, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${[file, ...parameters].join(' ')}\n${stdout}${stderr}`)
}

function manifestOf(folder: string): { readonly name: string; readonly version: string } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string }
}

/** What the newest release changes, by its changelog. */
function newestChanges(folder: string): string {
  const [, newest = ''] = readFileSync(join(folder, 'CHANGELOG.md'), 'utf8').split(/^## .*$/m)
  return newest.trim().replaceAll(/^/gm, '    ')
}

function show(folder: string): void {
  const { name, version } = manifestOf(folder)
  run(folder, ['npm', ...pnpm, 'pack', '--pack-destination', tarballs])
  const tarball = join(tarballs, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)
  console.log(`${name} ${version}, ${Math.ceil(statSync(tarball).size / kilobyte)} KB\n${newestChanges(folder)}\n`)
}

try {
  run(root, ['git', 'clone', '--quiet', '.', copy])
  run(copy, ['npm', 'run', 'setup'])
  run(copy, ['npm', 'run', 'lint'])
  run(copy, ['npm', 'run', 'version-packages'])
  run(copy, ['npm', 'run', 'build'])
  const folders = readdirSync(join(copy, 'packages')).map(name => join(copy, 'packages', name))
  for (const folder of folders) show(folder)
  console.log(`${folders.length} packages are ready. Nothing was published.`)
} finally {
  rmSync(workshop, { recursive: true, force: true })
}
