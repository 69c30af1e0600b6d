import { wholeOf } from './values.ts'

const limits = { base: 3600, cap: 7200, stable: 86_400 } as const

/** `restart_timeout` in ms: one number, or the least, the greatest and, if it is given, the time after which a connection was stable.
 * @param told what the user is told is added
 * @throws RangeError what is wrong, to stand behind the directive's name */
export function bridgeDelayOf(text: string, told: string[]): { least: number; greatest: number; stable: number } {
  const words = text.split(' ').filter(word => word !== '')
  const [given, cap, stable = 0] = words.slice(0, 3).map(word => wholeOf(word))
  const base = within(given ?? 1, { name: 'base', least: 1, greatest: limits.base, told })
  if (cap === undefined) return { least: base * 1000, greatest: base * 1000, stable: 0 }
  const greatest = within(cap, { name: 'cap', least: 1, greatest: limits.cap, told })
  if (greatest < base) throw new RangeError(`has the cap ${greatest}, it must not be below the base of ${base}`)
  const lasted = within(stable, { name: 'stable time', least: 0, greatest: limits.stable, told })
  return { least: base * 1000, greatest: greatest * 1000, stable: lasted * 1000 }
}

interface Range {
  readonly name: string
  readonly least: number
  readonly greatest: number
  readonly told: string[]
}

function within(seconds: number, { name, least, greatest, told }: Range): number {
  const taken = Math.min(Math.max(seconds, least), greatest)
  if (taken !== seconds) told.push(`the ${name} is ${seconds} s: ${taken} s is taken`)
  return taken
}
