import { printable } from '@x/broker-core'

/** Characters of a name in a line; those of the wire may have 65 535. */
const longest = 64

/** A client identifier as logs show it: without control characters, and not too long. */
export function shownIdentifier(id: string | null): string {
  return printable(id ?? '', longest)
}

/** A topic as logs show it: quoted, without control characters, and not too long. */
export function shownTopic(topic: string): string {
  return `'${printable(topic, longest)}'`
}
