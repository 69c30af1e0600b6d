import type { Latency } from '@x/contract'
import type { HookCalls } from '../hooks/hook-call.ts'

/** What measures how long asynchronous parts take. */
export interface MeasuredParts {
  readonly hookCalls: HookCalls
  readonly publishing: { readonly storeLatency: Latency; readonly emitterLatency: Latency }
}

/** By name. */
export type Latencies = Readonly<Record<string, Latency>>

/** How long asynchronous hooks (`hook NAME`), the `store` and the `emitter` took. */
export function latenciesOf({ hookCalls, publishing }: MeasuredParts): Latencies {
  const hooks = [...hookCalls.latencies].map(([name, latency]) => [`hook ${name}`, latency] as const)
  return { store: publishing.storeLatency, emitter: publishing.emitterLatency, ...Object.fromEntries(hooks) }
}
