import { randomUUID } from 'node:crypto'
import { Slices, systemClock } from '@x/contract'
import type { PersistenceHost } from '@x/contract'
import { Environment } from '../environment.ts'
import { checkOptions } from '../options.ts'
import { checkSchema } from '../schema.ts'
import { storeParts } from '../store-parts.ts'
import type { StoreParts } from '../store-parts.ts'

/** Tells messages that a tool stored from those of brokers. */
export const toolId: string = `tool-${randomUUID()}`

/** A directory that no broker opens meanwhile. */
export interface OpenedDirectory {
  readonly parts: StoreParts
  readonly close: () => Promise<void>
}

const host: PersistenceHost = {
  brokerId: toolId,
  clock: systemClock,
  slices: new Slices(),
  limits: { maximumQueuedMessages: Infinity, maximumQueuedBytes: Infinity, overflow: 'dropNewest' },
  groupReady: () => {},
  dropped: () => {},
}

/** @throws PersistenceError `UNAVAILABLE` while a broker has it open, and when it can't be a store of this version */
export async function openAlone(directory: string): Promise<OpenedDirectory> {
  await Environment.whenIdle(directory)
  const parts = storeParts(checkOptions({ directory, exclusive: true }), host)
  const { environment, commits, lookout, instances } = parts
  try {
    await commits.run(() => checkSchema({ ...parts, directory }))
    await lookout.begin()
  } catch (error) {
    await lookout.close()
    await environment.close()
    throw error
  }
  return {
    parts,
    close: async () => {
      await lookout.close()
      try {
        await commits.run(() => instances.leave())
      } finally {
        await environment.close()
      }
    },
  }
}
