import type { z } from 'zod'
import { configSchema } from './schema.ts'
import type { Config } from './schema.ts'

/** A fault of a configuration: the path of keys to it, and a sentence with the value and what it may be. */
export interface ConfigFault {
  readonly path: readonly (string | number)[]
  readonly sentence: string
}

/** The configuration, or all that is wrong with it. */
export function checkConfig(value: unknown): Config | readonly ConfigFault[] {
  const { success, data, error } = configSchema.safeParse(value, { reportInput: true })
  if (success) return data
  return error.issues.map(issue => faultOf(issue))
}

/** Whether the check of a configuration has found faults. */
export function isFaulty(checked: Config | readonly ConfigFault[]): checked is readonly ConfigFault[] {
  return Array.isArray(checked)
}

function faultOf(issue: z.core.$ZodIssue): ConfigFault {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))
  const name = shownPath(path)
  const { input } = issue
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    return { path: [...path, key], sentence: `${shownPath([...path, key])} is unknown` }
  }
  return {
    path,
    sentence: `${name === '' ? 'the configuration' : name} is ${shown(input)}, it must be ${ruleOf(issue)}`,
  }
}

function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'a whole number' : (kindNames[issue.expected] ?? `a ${issue.expected}`)
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array' ? 'not empty' : `at least ${issue.minimum}`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.map(String).join(', ')}`
    case 'invalid_union':
      return unionRules[String(issue.path.at(-1))] ?? 'a text, or a list of texts'
    case 'invalid_format':
      if (issue.path.includes('roles')) return 'user NAME, client ID or group NAME'
      return 'without +, # and /'
    default:
      return issue.message
  }
}

const unionRules: Readonly<Record<string, string>> = {
  durability: 'disk, process or interval:MS',
  workers: 'a whole number from 1 to 256, or auto',
}

const kindNames: Readonly<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section with keys of its own',
  number: 'a number',
}

/** `listeners[0].port` */
export function shownPath(path: readonly (string | number)[]): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return `'${value.slice(0, 100)}'`
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'a section' : JSON.stringify(value)
}
