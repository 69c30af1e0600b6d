import type { CommandFields } from '../command-request.ts'
import { fieldOf } from '../command-request.ts'
import { flagIn } from './fields.ts'
import { sorted } from './database-json.ts'

/** How a list is shown. */
interface Listing<Item> {
  readonly key: 'clients' | 'groups' | 'roles'
  readonly name: (item: Item) => string
  /** With `verbose`. */
  readonly show: (item: Item) => object
}

/** A part of a list, by `count` and `offset`. */
export function listed<Item>(
  fields: CommandFields,
  items: ReadonlyMap<string, Item>,
  { key, name, show }: Listing<Item>,
): object {
  const count = wholeIn(fields, 'count', -1)
  const offset = Math.max(wholeIn(fields, 'offset', 0), 0)
  const all = sorted(items)
  const part = all.slice(offset, count < 0 ? undefined : offset + count)
  return {
    totalCount: all.length,
    [key]: part.map(item => (flagIn(fields, 'verbose') === true ? show(item) : name(item))),
  }
}

function wholeIn(fields: CommandFields, name: string, otherwise: number): number {
  const value = fieldOf(fields, name)
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : otherwise
}
