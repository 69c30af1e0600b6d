import type { Session } from './session.ts'

const pageSize = 256

/** Drops all messages that wait for the session or are not acknowledged, so that none of them is sent, or sent again. */
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
  // The session reads on behind what was dropped.
  session.pump()
}
