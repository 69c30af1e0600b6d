/** Tells the program of a trouble by the function that it gave for that. What this throws or rejects concerns neither the calls nor the
 * timers it is called from: it becomes a warning of the process. */
export function tellProgram<Trouble extends Error>(
  onError: ((error: Trouble) => unknown) | undefined,
  error: Trouble,
): void {
  if (onError === undefined) return
  try {
    const returned = onError(error)
    if (returned instanceof Promise) returned.catch(warn)
  } catch (thrown) {
    warn(thrown)
  }
}

function warn(thrown: unknown): void {
  process.emitWarning(`option onError failed: ${String(thrown)}`, { type: 'RedisWarning', code: 'ON_ERROR_FAILED' })
}
