import { PersistenceError } from '@x/contract'
import { ListenError } from '../listener/listen-error.ts'

/** Why the command could not start, in one sentence that names the option to change. */
export function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message } = error
  if (error instanceof ListenError) return `${message}; choose another with --port, --host or --listen`
  if ('code' in error && String(error.code).startsWith('REDIS_')) return `--redis: ${message.replace(/^Redis: /, '')}`
  if (error instanceof PersistenceError && error.code === 'UNAVAILABLE') {
    return `${message} (--data names the directory, --memory does without one)`
  }
  return message
}
