import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { Flags } from './flags.ts'
import { ToolError, wrongUsage } from './tool-error.ts'

const sources = ['message', 'file', 'nullMessage', 'stdinFile', 'stdinLines'] as const

/** Where the payload comes from: one, or each line of the input. */
export type PayloadSource = { readonly kind: 'one'; read(): Promise<Buffer> } | { readonly kind: 'lines' }

/** Undefined: no option names one.
 * @throws ToolError when several do */
export function payloadSource(flags: Flags): PayloadSource | undefined {
  const given = sources.filter(name => flags.has(name))
  if (given.length > 1 || sources.some(name => flags.all(name).length > 1)) {
    throw wrongUsage('Only one type of message can be sent at once.\n')
  }
  const [name] = given
  const text = name === undefined ? '' : (flags.text(name) ?? '')
  switch (name) {
    case undefined:
      return undefined
    case 'stdinLines':
      return { kind: 'lines' }
    case 'file': {
      const payload = fileContents(text)
      return { kind: 'one', read: async () => payload }
    }
    case 'stdinFile':
      return { kind: 'one', read: wholeInput }
    default:
      return { kind: 'one', read: async () => Buffer.from(text) }
  }
}

function fileContents(name: string): Buffer {
  try {
    return readFileSync(name)
  } catch {
    throw new ToolError(`Error: Unable to open file "${name}".\nError loading input file "${name}".`)
  }
}

async function wholeInput(): Promise<Buffer> {
  const read = await buffer(process.stdin)
  if (read.length === 0) throw new ToolError('Error: Zero length input.\nError loading input from stdin.')
  return read
}
