import type { Config } from '../config/schema.ts'

const defaultDrainTimeout = 30

/** Seconds that an ordered end may take. */
export function drainTimeoutOf({ drainTimeout = defaultDrainTimeout }: Config): number {
  return drainTimeout
}
