import { readFileSync } from 'node:fs'
import { TomlError, parse as parseToml } from 'smol-toml'
import { LineCounter, isMap, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { ConfigProblem, placed } from './config-problem.ts'
import { checkConfig, isFaulty } from './sentences.ts'
import type { Config } from './schema.ts'

/** Where a path of keys stands in a file. */
type LineOf = (path: readonly (string | number)[]) => number | undefined

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
}

/** @throws ConfigProblem */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new ConfigProblem([placed({ file }, reasons[code] ?? message)])
  }
}

/** A file in YAML or JSON, or in TOML where its name ends in `.toml`.
 * @throws ConfigProblem with file, line, value and what it may be */
export function readConfigFile(file: string): Config {
  const { value, lineOf } = file.endsWith('.toml') ? tomlIn(file) : yamlIn(file)
  const checked = checkConfig(value ?? {})
  if (!isFaulty(checked)) return checked
  throw new ConfigProblem(
    checked.map(({ path, sentence }) => {
      const line = lineOf(path)
      return placed({ file, ...(line !== undefined && { line }) }, sentence)
    }),
  )
}

/** JSON is YAML, too. */
function yamlIn(file: string): { value: unknown; lineOf: LineOf } {
  const lines = new LineCounter()
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    throw new ConfigProblem(
      document.errors.map(({ pos, message }) => placed({ file, line: lines.linePos(pos[0]).line }, message)),
    )
  }
  return { value: document.toJS() as unknown, lineOf: path => lineIn(document, path, lines) }
}

/** The line of the key, or of the nearest key above it that is there. */
function lineIn(document: Document, path: readonly (string | number)[], lines: LineCounter): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = document.getIn(path.slice(0, length - 1), true)
    const step = path[length - 1]
    const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === step) : undefined
    const node = (pair?.key ?? document.getIn(path.slice(0, length), true)) as
      | { range?: [number, number, number] }
      | undefined
    if (node?.range !== undefined) return lines.linePos(node.range[0]).line
  }
  return undefined
}

function tomlIn(file: string): { value: unknown; lineOf: LineOf } {
  const text = readText(file)
  try {
    return { value: parseToml(text), lineOf: path => lineOfKey(text, path) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [message = ''] = error.message.split('\n')
    throw new ConfigProblem([placed({ file, line: error.line }, message)])
  }
}

/** The parser keeps no places: the first line that sets the last key of the path, behind the header of its table. */
function lineOfKey(text: string, path: readonly (string | number)[]): number | undefined {
  const names = path.filter(step => typeof step === 'string')
  const key = names.at(-1)
  if (key === undefined) return undefined
  const index = path.find(step => typeof step === 'number') ?? 0
  const lines = text.split('\n')
  const headers = lines.flatMap((line, at) => (line.trim().startsWith(`[[${names[0]}`) ? [at] : []))
  const from = headers[index] ?? lines.findIndex(line => line.trim() === `[${names.slice(0, -1).join('.')}]`)
  const found = lines.findIndex((line, at) => at > from && line.trim().replace(/["']/g, '').split(/[\s=]/)[0] === key)
  return found < 0 ? undefined : found + 1
}
