// Writes the engine's version, which its manifest has, where bundlers find it: `npm run version-packages` after the changesets.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const engine = fileURLToPath(new URL('../packages/broker-core/', import.meta.url))
const { version } = JSON.parse(readFileSync(`${engine}package.json`, 'utf8'))
const file = `${engine}src/ground/version.ts`
const assignment = /packageVersion = '[^']*'/
writeFileSync(file, readFileSync(file, 'utf8').replace(assignment, `packageVersion = '${version}'`))
