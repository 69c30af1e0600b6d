import { parse } from 'yaml'
import { ConfigProblem } from './config-problem.ts'
import { jsonSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import type { Config } from './schema.ts'
import { checkConfig, isFaulty } from './sentences.ts'

const prefix = 'X_BROKER_'

/** Variables by name: `limits.maximumInflight` is `X_BROKER_LIMITS_MAXIMUM_INFLIGHT`. A list is given as a list, in YAML. */
export function environmentPaths(): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>()
  const visit = (node: JsonSchema, path: readonly string[]): void => {
    if (node.properties === undefined) paths.set(variableOf(path), path)
    else for (const [key, child] of Object.entries(node.properties)) visit(child, [...path, key])
  }
  visit(jsonSchema(), [])
  return paths
}

function variableOf(path: readonly string[]): string {
  return `${prefix}${path.map(key => key.replaceAll(/[A-Z]/g, letter => `_${letter}`).toUpperCase()).join('_')}`
}

/** What the environment says.
 * @throws ConfigProblem also for a variable that begins with `X_BROKER_` and means nothing: it was meant */
export function configOfEnvironment(environment: NodeJS.ProcessEnv): Config {
  const paths = environmentPaths()
  const value: Record<string, unknown> = {}
  const variables = new Map<string, string>()
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || text === undefined) continue
    const path = paths.get(name)
    if (path === undefined) throw new ConfigProblem([`${name} is unknown; CONFIGURATION.md lists the variables`])
    set(value, path, valueOf(name, text))
    variables.set(path.join('.'), name)
  }
  const checked = checkConfig(value)
  if (!isFaulty(checked)) return checked
  throw new ConfigProblem(
    checked.map(({ path, sentence }) => {
      const name = variables.get(path.slice(0, 2).join('.')) ?? variables.get(String(path[0])) ?? prefix
      return `${name}: ${sentence}`
    }),
  )
}

function valueOf(name: string, text: string): unknown {
  try {
    return parse(text) as unknown
  } catch (error) {
    const [message = ''] = (error as Error).message.split('\n')
    throw new ConfigProblem([`${name}: ${message}`])
  }
}

function set(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path
  if (rest.length === 0) target[key] = value
  else {
    const child = (target[key] ?? {}) as Record<string, unknown>
    target[key] = child
    set(child, rest, value)
  }
}
