import { printable } from '@x/broker-core'

/** Characters of a name in a line; those of the wire may have 65 535. */
const longest = 64

export function shownIdentifier(id: string | null): string {
  return printable(id ?? '', longest)
}

export function shownTopic(topic: string): string {
  return `'${printable(topic, longest)}'`
}
