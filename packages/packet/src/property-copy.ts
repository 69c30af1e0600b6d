import { skipPropertyValue } from './property-check.ts'
import { propertyBit } from './property-table.ts'

const bitOf = (id: number): number => propertyBit[id] as number

/** The properties of a PUBLISH that end with this hop or change with time: message expiry interval, subscription identifier,
 * topic alias. A set of property bits. */
export const HOP_PROPERTIES: number = bitOf(0x02) | bitOf(0x0b) | bitOf(0x23)

/** The properties of a will that do not go into its PUBLISH as they are: message expiry interval, will delay interval. */
export const WILL_ONLY_PROPERTIES: number = bitOf(0x02) | bitOf(0x18)

/** User properties, as a set of property bits. */
export const USER_PROPERTY: number = bitOf(0x26)

/** Offset behind the first of the wanted properties in a checked list; its end when there is none. */
export function endOfFirst(source: Buffer, start: number, end: number, wanted: number): number {
  let position = start
  while (position < end) {
    const id = source[position] as number
    position = skipPropertyValue(source, id, position + 1)
    if ((bitOf(id) & wanted) !== 0) return position
  }
  return end
}

/** A copy of a checked property list without the properties in `omitted`, in the same order; undefined when none is left. */
export function copyProperties(source: Buffer, start: number, end: number, omitted: number): Buffer | undefined {
  const size = keptSize(source, start, end, omitted)
  if (size === 0) return undefined
  const kept = Buffer.allocUnsafe(size)
  let offset = 0
  let position = start
  while (position < end) {
    const id = source[position] as number
    const next = skipPropertyValue(source, id, position + 1)
    if ((bitOf(id) & omitted) === 0) offset += source.copy(kept, offset, position, next)
    position = next
  }
  return kept
}

function keptSize(source: Buffer, start: number, end: number, omitted: number): number {
  let size = 0
  let position = start
  while (position < end) {
    const id = source[position] as number
    const next = skipPropertyValue(source, id, position + 1)
    if ((bitOf(id) & omitted) === 0) size += next - position
    position = next
  }
  return size
}
