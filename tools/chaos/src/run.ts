import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { violationsOf } from './checks/all.ts'
import type { Violation } from './checks/violation.ts'
import { Cluster } from './cluster.ts'
import { planFaults } from './fault-plan.ts'
import type { Disk, PlannedFault } from './fault-plan.ts'
import { History } from './history.ts'
import type { HistoryEvent } from './history.ts'
import { Random } from './random.ts'
import type { StoreName } from './store-service.ts'
import { keptTopics, Workload } from './workload.ts'

export interface RunOptions {
  readonly seed: number
  /** Of faults; the waiting afterwards comes on top. */
  readonly milliseconds: number
  readonly brokers: number
  readonly store: StoreName
  /** Redis has a replica, which takes its place. */
  readonly replicated: boolean
  /** Default `large`; `small` with `lmdb`: the directory is on a small file system, which is filled from time to time. */
  readonly disk?: Disk
  /** Processes of each broker, with `lmdb`; default 1. */
  readonly workers?: number
  /** Ends the run early. */
  readonly signal?: AbortSignal
}

export interface RunResult {
  readonly history: readonly HistoryEvent[]
  readonly violations: readonly Violation[]
  /** With the history and the brokers' logs. */
  readonly directory: string
  readonly clients: number
}

/** Milliseconds. The lease of a killed broker ends after 10 s; a will of its clients comes within 12 s. */
const leastRest = 14_000
const longestRest = 60_000
/** Without anything arriving. */
const silence = 2000

/** One whole run: load and faults by the seed, then rest, then everyone leaves; and what the checks say of it. */
export async function run(options: RunOptions): Promise<RunResult> {
  const directory = mkdtempSync(join(tmpdir(), `chaos-${options.seed}-`))
  const history = new History(join(directory, 'history.ndjson'))
  const random = new Random(options.seed)
  const plan = planFaults(random.fork(), options)
  const cluster = await Cluster.open({ ...options, directory }, history)
  const workload = new Workload({ cluster, history, random: random.fork() })
  const sampling = setInterval(() => sampleMemory(cluster, history), 1000)
  try {
    history.record({ kind: 'begun', store: options.store })
    await cluster.heal()
    workload.start()
    await strikeAll(plan, { cluster, workload, options })
    await cluster.heal()
    workload.settle()
    await rest(workload, cluster, history)
    await readRetained(history, workload)
    await leave(workload, cluster, history)
  } finally {
    clearInterval(sampling)
    workload.stop()
    await cluster.close()
    await cluster.store.close()
    history.close()
  }
  return { history: history.events, violations: violationsOf(history.events), directory, clients: workload.size }
}

interface Struck {
  readonly cluster: Cluster
  readonly workload: Workload
  readonly options: RunOptions
}

async function strikeAll(plan: readonly PlannedFault[], { cluster, workload, options }: Struck): Promise<void> {
  const started = performance.now()
  const ends = { at: options.milliseconds, fault: undefined }
  for (const { at, fault } of [...plan, ends]) {
    while (performance.now() - started < at) {
      if (options.signal?.aborted === true) return
      await pause(Math.min(200, Math.max(1, at - (performance.now() - started))))
    }
    if (fault === undefined) return
    cluster.strike(fault)
    if (fault.kind === 'storm') workload.rage(fault.rounds)
  }
}

/** Until everyone is connected, everything is acknowledged, and nothing arrives any more. */
async function rest(workload: Workload, cluster: Cluster, history: History): Promise<void> {
  const started = history.now
  for (;;) {
    await pause(100)
    const waited = history.now - started
    const unsettled = [...workload.unsettled(), ...((await cluster.store.hasWills()) ? ['wills'] : [])]
    const last = history.events.findLast(({ kind }) => kind === 'received')?.at ?? 0
    const isSilent = history.now - last > silence
    if (waited < leastRest || ((unsettled.length > 0 || !isSilent) && waited < longestRest)) continue
    const isSettled = unsettled.length === 0 && isSilent
    history.record({ kind: 'quiet', settled: isSettled, detail: isSettled ? '' : `waiting: ${unsettled.join(', ')}` })
    return
  }
}

async function readRetained(history: History, workload: Workload): Promise<void> {
  const reader = await workload.reader('kept/#')
  await pause(silence)
  const found = history.events.filter(event => event.kind === 'received' && event.client === reader.id && event.retain)
  history.record({
    kind: 'retained',
    messages: found.flatMap(event =>
      event.kind === 'received' ? [{ topic: event.topic, message: event.message }] : [],
    ),
  })
  for (const topic of keptTopics) reader.publish(topic, 1, { retain: true, empty: true })
  while (reader.unfinished > 0 && reader.connected) await pause(20)
  reader.disconnect(true)
}

async function leave(workload: Workload, cluster: Cluster, history: History): Promise<void> {
  await workload.leave()
  await cluster.close()
  history.record({ kind: 'keys', keys: await cluster.store.leftovers() })
}

function sampleMemory(cluster: Cluster, history: History): void {
  for (const broker of cluster.brokers) {
    for (const [name, bytes] of broker.memory()) history.record({ kind: 'memory', process: name, bytes })
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, milliseconds))
}
