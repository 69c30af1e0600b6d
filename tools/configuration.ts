// Writes packages/broker/CONFIGURATION.md and config.schema.json from the schema of the command's configuration.
//
//   npm run configuration
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { directives } from '../packages/broker/src/config/mosquitto/directives.ts'
import type { Directive } from '../packages/broker/src/config/mosquitto/directives.ts'
import { environmentPaths } from '../packages/broker/src/config/environment.ts'
import { jsonSchema, valuesOf } from '../packages/broker/src/config/json-schema.ts'
import type { JsonSchema } from '../packages/broker/src/config/json-schema.ts'

const folder = new URL('../packages/broker/', import.meta.url)

/** The parts that are written, by file name. */
export function configurationFiles(): Readonly<Record<'CONFIGURATION.md' | 'config.schema.json', string>> {
  const schema = jsonSchema()
  const text = readFileSync(new URL('CONFIGURATION.md', folder), 'utf8')
  const written = replaced(replaced(text, 'keys', keysOf(schema)), 'directives', directiveRows())
  return { 'CONFIGURATION.md': written, 'config.schema.json': `${JSON.stringify(schema, undefined, 2)}\n` }
}

/** What stands between `<!-- NAME -->` and `<!-- end -->`. */
function replaced(text: string, name: string, lines: readonly string[]): string {
  const begin = `<!-- ${name} -->\n`
  const start = text.indexOf(begin) + begin.length
  const end = text.indexOf('\n<!-- end -->', start)
  return `${text.slice(0, start)}\n${lines.join('\n')}\n${text.slice(end)}`
}

function keysOf(schema: JsonSchema): string[] {
  const variables = new Map([...environmentPaths()].map(([name, path]) => [path.join('.'), name]))
  const rows: string[][] = []
  const visit = (node: JsonSchema, path: string): void => {
    const inner = node.type === 'array' && node.items?.properties !== undefined ? node.items : node
    const name = inner === node ? path : `${path}[]`
    if (inner.properties === undefined || inner !== node) {
      rows.push([
        `\`${name}\``,
        valuesOf(node),
        node.description ?? '',
        variables.has(path) ? `\`${variables.get(path)}\`` : '',
      ])
    }
    for (const [key, child] of Object.entries(inner.properties ?? {}))
      visit(child, name === '' ? key : `${name}.${key}`)
  }
  visit(schema, '')
  const limit = '[unit, default, and what happens at it](../broker-core/OPTIONS.md)'
  return table(
    ['key', 'value', 'what (default)', 'variable'],
    rows.map(([key = '', value = '', what = '', variable = '']) => [
      key,
      value,
      what === '' && key.startsWith('`limits.') ? limit : what,
      variable,
    ]),
  )
}

function directiveRows(): string[] {
  return table(
    ['directive', 'what becomes of it'],
    Object.entries(directives).map(([name, directive]) => [`\`${name}\``, fateOf(directive)]),
  )
}

/** Values that show whether a directive depends on its value. */
const samples = [true, false, 1, 0, '3,4,5', 'pem', 'mqtt', 'http_api', 'lazy', 'x'] as const

function fateOf({ alias, scope: section, refused, notice, value, needsListener, perListener }: Directive): string {
  if (alias !== undefined) return `the same as \`${alias}\``
  const fitting = samples.filter(sample =>
    value.kind === 'flag'
      ? typeof sample === 'boolean'
      : value.kind === 'whole'
        ? typeof sample === 'number'
        : typeof sample === 'string',
  )
  const reasons = new Set(fitting.flatMap(sample => refused?.(sample) ?? []))
  const notices = new Set(fitting.flatMap(sample => notice?.(sample) ?? []))
  const taken = fitting.filter(sample => refused?.(sample) === undefined)
  const scope =
    perListener === true
      ? ' (of a listener with `per_listener_settings`)'
      : needsListener === true
        ? ' (behind a `listener`)'
        : section === 'bridge' && value.kind !== 'name'
          ? ' (behind a `connection`)'
          : ''
  if (reasons.size > 0) {
    const except =
      refused !== undefined && taken.length > 0 && value.kind !== 'word'
        ? `, but for ${value.kind === 'whole' ? '0 and less' : `\`${taken.join('`, `')}\``}`
        : ''
    return `refused${except}: ${[...reasons].join('; ')}`
  }
  if (notices.size > 0) return `taken; ${[...notices].join('; ')}`
  return `supported${scope}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, head.map(() => '---'), ...rows]
  return cells.map(row => `| ${row.map(cell => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(configurationFiles())) writeFileSync(new URL(name, folder), text)
}
