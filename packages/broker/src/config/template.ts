import { jsonSchema, valuesOf } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'

const head = `# Configuration of x-broker. Every key stands here; those behind # are not given, and what holds then is in brackets.
# x-broker --config FILE --check-config says whether it is well; SIGHUP has a running broker read it again.

`

/** What the file begins with: a listener for this machine alone. */
const given: ReadonlyMap<string, string> = new Map([
  ['listeners', 'listeners:'],
  ['listeners.port', '  - port: 1883'],
])

/** A file with every key and what it means, which is a valid configuration as it is: this machine alone may connect. */
export function configTemplate(): string {
  return `${head}${linesOf(jsonSchema(), '', '').join('\n')}\n`
}

function linesOf(schema: JsonSchema, path: string, indent: string): string[] {
  const entries = Object.entries(schema.properties ?? {})
  // Given keys stand first: a list begins with them.
  const sorted = entries.toSorted(([one], [other]) => Number(isGiven(path, other)) - Number(isGiven(path, one)))
  return sorted.flatMap(([name, node]) => linesOfKey(name, node, { path: join(path, name), indent }))
}

function isGiven(path: string, name: string): boolean {
  return given.has(join(path, name))
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function linesOfKey(
  name: string,
  node: JsonSchema,
  place: { readonly path: string; readonly indent: string },
): string[] {
  const { path, indent } = place
  const items = node.type === 'array' && node.items?.properties !== undefined ? node.items : undefined
  const section = items ?? (node.properties === undefined ? undefined : node)
  const about = (node.description ?? '').replaceAll('`', '')
  const line = given.get(path)
  if (section === undefined) {
    const values = valuesOf(node).replaceAll('`', '')
    const comment = `# ${values}${about === '' ? '' : `: ${about}`}`
    return [line === undefined ? `#${indent} ${name}: ${comment}` : `${line} ${comment}`]
  }
  const inner = `${indent}${items === undefined ? '  ' : '    '}`
  const first =
    line === undefined
      ? `#${indent} ${name}: # ${items === undefined ? '' : 'list of sections: '}${about}`
      : `${line} # ${about}`
  const lines = linesOf(section, path, inner)
  return [...(indent === '' ? [''] : []), first.trimEnd(), ...lines]
}
