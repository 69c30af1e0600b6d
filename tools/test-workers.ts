// Runs the end-to-end tests of the command with two workers in place of one process: `npm run test:workers`, or of some files,
// `npm run test:workers -- packages/broker/test/tls.e2e.ts`. What stands behind is for vitest.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const parameters = process.argv.slice(2)
const files =
  parameters.length === 0 ? ['packages/broker/test/', '--project', 'services', '--project', 'long'] : parameters
const { status } = spawnSync(process.execPath, [vitest, 'run', ...files], {
  stdio: 'inherit',
  env: { ...process.env, X_BROKER_WORKERS: '2' },
})
process.exitCode = status ?? 1
