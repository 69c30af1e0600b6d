// Runs the tests with another Node.js: `npm run test:node -- 24`, or `npm run test:node -- 24 packages/packet`. What stands behind
// the version is for vitest.
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { engine } from './engines.ts'

const [major = '24', ...parameters] = process.argv.slice(2)
const node = engine('node', major)
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const { status } = spawnSync(node, [vitest, 'run', ...parameters], {
  stdio: 'inherit',
  // Programs that tests start by the name `node` are of this version as well.
  env: { ...process.env, PATH: `${dirname(node)}:${process.env['PATH']}` },
})
process.exitCode = status ?? 1
