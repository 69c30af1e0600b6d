import { ListenError } from '../listener/listen-error.ts'

/** Why the command could not start, in one sentence that names the option to change. */
export function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message } = error
  if (error instanceof ListenError) return `${message}; choose another with --port, --host or --listen`
  if ('code' in error && String(error.code).startsWith('REDIS_')) return `--redis: ${message.replace(/^Redis: /, '')}`
  return message
}
