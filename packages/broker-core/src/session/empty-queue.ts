import type { Session } from './session.ts'

const pageSize = 256

/** Drops everything that waits for the session or is not acknowledged, so that none of it is sent, or sent again. */
export async function emptyQueue(session: Session): Promise<void> {
  session.dropWaiting()
  if (!session.stored) return
  const { persistence } = session.engine
  const { handle } = session
  for (;;) {
    const entries = await persistence.read(handle, 0, pageSize)
    if (entries.length === 0) break
    for (const { sequence } of entries) await persistence.acknowledge(handle, sequence)
  }
  // It has missed what was read here.
  session.pump()
}
