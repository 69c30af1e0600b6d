// Each export of a package has a docstring: `npm run lint` runs this. It names the exports that have none.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const declaration = /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const) (\w+)/

/** The exports of one file without a docstring. Of a function with overloads, the first needs one. */
function undocumented(file: string): string[] {
  const found: string[] = []
  const seen = new Set<string>()
  const lines = readFileSync(file, 'utf8').split('\n')
  for (const [index, line] of lines.entries()) {
    const name = declaration.exec(line)?.[1]
    if (name === undefined || seen.has(name)) continue
    seen.add(name)
    if (lines[index - 1]?.endsWith('*/') !== true) found.push(`${file}:${index + 1}: ${name} has no docstring`)
  }
  return found
}

const sources = readdirSync('packages').flatMap(name => {
  const folder = join('packages', name, 'src')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => join(folder, path))
})

const missing = sources.flatMap(undocumented)
for (const line of missing) console.error(line)
if (missing.length > 0) process.exitCode = 1
