// Makes a clone ready, then runs a program of this repository: `node tools/run.mjs FILE parameters…`. It runs in this process, so that
// signals and the terminal are its own. No dependency before the set-up: it runs before there is any.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const setup = fileURLToPath(new URL('setup.mjs', import.meta.url))
const { status } = spawnSync(process.execPath, [setup, '--build'], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

const [, , file = '', ...parameters] = process.argv
const program = resolve(file)
process.argv.splice(1, Infinity, program, ...parameters)
if (program.endsWith('.ts')) {
  const { register } = await import('tsx/esm/api')
  register()
}
await import(pathToFileURL(program).href)
