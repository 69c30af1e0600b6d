/** ms that a check waits for what must come: a busy machine is slow, not wrong. */
const patience = 20_000
/** ms between two looks. */
const interval = 5

/** Waits until what was promised for soon must have happened: with 0 ms one turn of the event loop. */
export async function settle(milliseconds: number): Promise<void> {
  await new Promise<void>(resolve => {
    if (milliseconds > 0) setTimeout(resolve, milliseconds)
    else setImmediate(resolve)
  })
}

/** Waits until the check passes, then so many milliseconds, in which what must not come could have come, and checks again. With 0 ms
 * the check must pass after one turn of the event loop.
 *
 * @throws what the check throws after 20 seconds, or the second time. */
export async function soon(check: () => unknown, milliseconds: number): Promise<void> {
  const deadline = performance.now() + (milliseconds > 0 ? patience : 0)
  while (performance.now() < deadline && !(await passes(check))) await settle(interval)
  await settle(milliseconds)
  await check()
}

async function passes(check: () => unknown): Promise<boolean> {
  try {
    await check()
    return true
  } catch {
    return false
  }
}
