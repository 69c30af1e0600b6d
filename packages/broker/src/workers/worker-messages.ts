import type { BrokerCounts, Counters } from '@x/contract'
import type { StoreConfig } from '../config/schema.ts'

/** What a worker is told when it is forked, as JSON in its environment. */
export interface WorkerPlace {
  /** From 1. A worker that takes the place of another one has its number. */
  readonly number: number
  /** Of all workers, whatever the configuration has become since: they are one broker. */
  readonly store: StoreConfig
  /** The directory for sockets of the mesh; undefined: the workers have Redis. */
  readonly mesh: string | undefined
}

/** It does not begin as the variables of the configuration do. */
export const placeVariable = 'X_WORKER_PLACE'

/** Numbers of one worker, or of several together. */
export interface WorkerNumbers {
  readonly counters: Readonly<Record<string, number>>
  /** Of its own clients: what all have in the store counts once. */
  readonly counts: Readonly<Partial<BrokerCounts>>
}

/** From a worker to the primary. */
export type WorkerReport = { readonly kind: 'ready' } | { readonly kind: 'numbers'; readonly numbers: WorkerNumbers }

/** From the primary to a worker. `others`: the numbers of all other workers together. */
export type WorkerOrder =
  | { readonly kind: 'stop' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'others'; readonly numbers: WorkerNumbers }

export function isReport(message: unknown): message is WorkerReport {
  return hasKind(message, 'ready') || hasKind(message, 'numbers')
}

export function isOrder(message: unknown): message is WorkerOrder {
  return hasKind(message, 'stop') || hasKind(message, 'reload') || hasKind(message, 'others')
}

function hasKind(message: unknown, kind: string): boolean {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind
}

/** Adds up what is a number in both. */
export function sumOf(all: readonly Readonly<Record<string, unknown>>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const numbers of all) {
    for (const [name, value] of Object.entries(numbers))
      if (typeof value === 'number') sum[name] = (sum[name] ?? 0) + value
  }
  return sum
}

/** The counters of one worker, as they are sent. */
export function numbersOf(counters: Readonly<Counters>): Record<string, number> {
  return sumOf([{ ...counters }])
}
