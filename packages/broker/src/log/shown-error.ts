import { printable } from '@x/broker-core'

/** Causes of causes that are shown. */
const deepest = 4
const longestStack = 8192

/** The error, or when its text or that of a cause could steer a terminal or fill a disk, one like it that can't. */
export function shownError(error: Error, depth = 0): Error {
  const message = printable(error.message)
  const cause = error.cause instanceof Error && depth < deepest ? shownError(error.cause, depth + 1) : undefined
  if (message === error.message && cause === error.cause && isPlain(error)) return error
  const shown = new Error(message, cause === undefined ? undefined : { cause })
  shown.name = printable(error.name)
  shown.stack = stackOf(error, message)
  return shown
}

function stackOf(error: Error, message: string): string {
  const frames = (error.stack ?? '').slice(0, longestStack).replace(error.message, '').split('\n')
  return [
    `${printable(error.name)}: ${message}`,
    ...frames.filter(line => line.startsWith('    at ')).map(line => printable(line)),
  ].join('\n')
}

/** Nothing but texts that a program or Node has put there, and numbers. */
function isPlain(error: Error): boolean {
  return Object.values(error).every(
    value => (typeof value !== 'string' || printable(value) === value) && (typeof value !== 'object' || value === null),
  )
}
