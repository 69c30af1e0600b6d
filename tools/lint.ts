// Everything that is checked without running it: `npm run lint`. It says nothing when all is well, and all that is wrong at once.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const checks: Readonly<Record<string, readonly [string, ...string[]]>> = {
  format: ['npx', 'oxfmt', '--check', '.'],
  types: ['npm', 'run', '-s', 'typecheck'],
  lint: ['npx', 'oxlint', '--type-aware', '--deny-warnings'],
  'unused code': ['npx', 'knip'],
  conformance: ['node', '--import', 'tsx', 'tools/check-conformance.ts'],
  docstrings: ['node', '--import', 'tsx', 'tools/check-docstrings.ts'],
}

/** What the command has printed, if it has failed. */
async function failureOf([file, ...parameters]: readonly [string, ...string[]]): Promise<string | undefined> {
  const child = spawn(file, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return code === 0 ? undefined : Buffer.concat(output).toString()
}

for (const [name, command] of Object.entries(checks)) {
  const failure = await failureOf(command)
  if (failure === undefined) continue
  console.error(`${name}: ${command.join(' ')}\n${failure}`)
  process.exitCode = 1
}
