/** What an option may be. */
export interface OptionRule {
  /** Completes "it must be …". */
  readonly text: string
  readonly allows: (value: unknown) => boolean
}

/** Every option that an object may have, by its name. */
export type OptionTable<Name extends string = string> = Readonly<Record<Name, OptionRule>>

interface OptionRules {
  readonly flag: OptionRule
  readonly text: OptionRule
  readonly texts: OptionRule
  /** One text, or a list of them. */
  readonly textOrTexts: OptionRule
  readonly function: OptionRule
  readonly functionOrNull: OptionRule
  /** Checked by whoever takes it. */
  readonly any: OptionRule
  whole(least: number, greatest: number): OptionRule
  oneOf(...values: readonly string[]): OptionRule
  /** An object with these methods. */
  has(what: string, ...methods: readonly string[]): OptionRule
}

/** The rules that most options need. */
export const optionRules: OptionRules = {
  whole: (least: number, greatest: number) => ({
    text: `a whole number from ${least} to ${greatest}`,
    allows: value => Number.isInteger(value) && (value as number) >= least && (value as number) <= greatest,
  }),
  flag: { text: 'true or false', allows: value => typeof value === 'boolean' },
  text: { text: 'a text that is not empty', allows: value => typeof value === 'string' && value !== '' },
  texts: { text: 'a list of texts', allows: value => isListOf(value, 'string') },
  textOrTexts: {
    text: 'a text that is not empty, or a list of such',
    allows: value => [value].flat().length > 0 && isListOf([value].flat(), 'string') && ![value].flat().includes(''),
  },
  oneOf: (...values: readonly string[]) => ({
    text: `${values.length === 2 ? '' : 'one of '}${values.map(value => `'${value}'`).join(values.length === 2 ? ' or ' : ', ')}`,
    allows: value => values.includes(value as string),
  }),
  function: { text: 'a function', allows: value => typeof value === 'function' },
  functionOrNull: { text: 'a function, or null', allows: value => value === null || typeof value === 'function' },
  has: (what: string, ...methods: readonly string[]) => ({
    text: `${what}, with the method${methods.length === 1 ? '' : 's'} ${methods.join(', ')}`,
    allows: value => isObject(value) && methods.every(method => typeof Reflect.get(value, method) === 'function'),
  }),
  any: { text: 'anything', allows: () => true },
}

/** What is wrong with the options that a program has given, as one sentence with the option, its value and what it may be; undefined:
 * nothing. An option that is undefined counts as not given. A program that misspells an option would otherwise run without it, and
 * nobody would know.
 * @param owner what takes them, for the sentence: `createBroker` */
export function optionProblem(options: unknown, table: OptionTable, owner: string): string | undefined {
  if (!isObject(options) || Array.isArray(options)) {
    return `the options of ${owner} are ${shownOption(options)}, they must be an object`
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!Object.hasOwn(table, name)) return unknownOption(name, value, { table, owner })
    const rule = table[name]
    if (rule?.allows(value) === false) return `option ${name} is ${shownOption(value)}, it must be ${rule.text}`
  }
  return undefined
}

/** The options, and for those that are not given, or undefined, their defaults. */
export function withDefaults<Options extends object, Defaults extends object>(
  options: Options,
  defaults: Defaults,
): Options & Defaults {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) } as Options & Defaults
}

/** A value as it stands in such a sentence. */
export function shownOption(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, longestShown)}'`
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : `a list of ${value.map(kindOf).slice(0, 5).join(', ')}`
  if (isObject(value)) return Object.keys(value).length === 0 ? 'an empty object' : 'an object'
  return String(value)
}

const longestShown = 100

function kindOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? shownOption(value) : typeof value
}

function unknownOption(
  name: string,
  value: unknown,
  { table, owner }: { readonly table: OptionTable; readonly owner: string },
): string {
  const names = Object.keys(table)
  const near = nearestOption(name, table)
  const advice = near === undefined ? `known: ${names.join(', ')}` : `did you mean ${near}?`
  return `option ${name} of ${owner} is unknown (it is ${shownOption(value)}); ${advice}`
}

/** The option that was probably meant by a name; undefined: none. */
export function nearestOption(name: string, table: OptionTable): string | undefined {
  const plain = simplified(name)
  const allowed = Math.max(1, Math.floor(plain.length / 4))
  const found = Object.keys(table)
    .map(known => ({ known, distance: distance(plain, simplified(known)) }))
    .toSorted((first, second) => first.distance - second.distance)[0]
  return found !== undefined && found.distance <= allowed ? found.known : undefined
}

/** Spelling that people mix up counts for nothing: case, dashes, and max for maximum. */
function simplified(name: string): string {
  return name.slice(0, longestShown).toLowerCase().replaceAll(/[-_ ]/g, '').replace('maximum', 'max')
}

/** How many letters must be changed, added, taken away or swapped with the next to make the one of the other. */
function distance(first: string, second: string): number {
  let before: number[] = []
  let row = Array.from({ length: second.length + 1 }, (_, index) => index)
  for (let i = 1; i <= first.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= second.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (first[i - 1] === second[j - 1] ? 0 : 1)
      const isSwapped = first[i - 1] === second[j - 2] && first[i - 2] === second[j - 1]
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity
      next.push(Math.min(changed, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[second.length] ?? 0
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isListOf(value: unknown, type: 'string'): boolean {
  return Array.isArray(value) && value.every(one => typeof one === type)
}
