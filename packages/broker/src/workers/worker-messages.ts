import type { BrokerCounts, WorkerUsage } from '@x/contract'
import type { LogMessage } from '@x/sys-topics'
import type { StoreConfig } from '../config/schema.ts'

/** What a worker is told when it is forked, as JSON in its environment. */
export interface WorkerPlace {
  /** From 1. A worker that takes the place of another one has its number. */
  readonly number: number
  /** There was none before it: what keeps it from starting keeps all. */
  readonly isFirst: boolean
  /** Of all workers, whatever the configuration has become since: they are one broker. */
  readonly store: StoreConfig
  /** The directory for sockets of the mesh; undefined: the workers have Redis. */
  readonly mesh: string | undefined
}

/** It does not begin as the variables of the configuration do. */
export const placeVariable = 'X_WORKER_PLACE'

/** Numbers of one worker, or of several together. */
export interface WorkerNumbers {
  readonly counters: Numbers
  /** Errors that peers met, by code. */
  readonly errors: Numbers
  /** Of its own clients: what all have in the store counts once. */
  readonly counts: Readonly<Partial<BrokerCounts>>
  /** Open connections, by listener. */
  readonly listenerConnections: Numbers
  /** By name: what `Latency` has as `counts`, and behind them its `sum`. */
  readonly latencies: Readonly<Record<string, readonly number[]>>
  readonly usage: readonly WorkerUsage[]
}

/** Numbers by their names. */
export type Numbers = Readonly<Record<string, number>>

/** The numbers of a worker that has counted nothing yet. */
export const noNumbers: WorkerNumbers = {
  counters: {},
  errors: {},
  counts: {},
  listenerConnections: {},
  latencies: {},
  usage: [],
}

/** What one worker asks another one, and what that says. `id` is the asking one's. */
export type PeerMessage =
  | { readonly kind: 'question'; readonly id: number; readonly question: object }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: object }

/** From a worker to the primary. */
export type WorkerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'numbers'; readonly numbers: WorkerNumbers }
  | { readonly kind: 'asks'; readonly order: CommonOrder }
  | ({ readonly to: number } & PeerMessage)

/** What somebody wants of all workers: to read the configuration again, to log from another level on, or to publish a line of the log. */
export type CommonOrder =
  | { readonly kind: 'reload' }
  | { readonly kind: 'logLevel'; readonly level: string }
  | { readonly kind: 'logged'; readonly message: LogMessage }

/** From the primary to a worker. `bridge`: it has the bridges until it ends; `others`: the numbers of all other workers together. */
export type WorkerOrder =
  | { readonly kind: 'stop' | 'bridge' }
  | CommonOrder
  | { readonly kind: 'others'; readonly numbers: WorkerNumbers }
  | ({ readonly from: number } & PeerMessage)

/** Whether a message is one that workers send to the primary. */
export function isReport(message: unknown): message is WorkerReport {
  return ['ready', 'numbers', 'asks', 'question', 'answer'].some(kind => hasKind(message, kind))
}

const orders = ['stop', 'reload', 'bridge', 'logLevel', 'logged', 'others', 'question', 'answer'] as const

/** Whether a message is one that the primary sends to workers. */
export function isOrder(message: unknown): message is WorkerOrder {
  return orders.some(kind => hasKind(message, kind))
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

/** The numbers of all these workers as those of one. */
export function together(all: readonly WorkerNumbers[]): WorkerNumbers {
  return {
    counters: sumOf(all.map(({ counters }) => counters)),
    errors: sumOf(all.map(({ errors }) => errors)),
    counts: sumOf(all.map(({ counts }) => counts)),
    listenerConnections: sumOf(all.map(({ listenerConnections }) => listenerConnections)),
    latencies: sumOfLists(all.map(({ latencies }) => latencies)),
    usage: all.flatMap(({ usage }) => usage),
  }
}

function sumOfLists(all: readonly WorkerNumbers['latencies'][]): Record<string, readonly number[]> {
  const sum: Record<string, readonly number[]> = {}
  for (const lists of all) {
    for (const [name, list] of Object.entries(lists)) {
      const known = sum[name]
      sum[name] = known === undefined ? list : list.map((value, index) => value + (known[index] ?? 0))
    }
  }
  return sum
}
