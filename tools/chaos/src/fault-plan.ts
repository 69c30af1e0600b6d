import type { Direction } from './direction.ts'
import { points } from './points.ts'
import type { Random } from './random.ts'
import type { StoreName } from './store-service.ts'

/** What is done to the brokers, to Redis and to the links. Durations in milliseconds. */
export type Fault =
  | { readonly kind: 'kill'; readonly broker: number; readonly downFor: number }
  /** Killed when the point is reached, or after a while without it. */
  | { readonly kind: 'killAtPoint'; readonly broker: number; readonly point: string; readonly downFor: number }
  /** All connections of the link end when the point is reached. */
  | { readonly kind: 'cutAtPoint'; readonly broker: number; readonly point: string }
  | { readonly kind: 'stop'; readonly broker: number; readonly duration: number }
  | { readonly kind: 'cutLink'; readonly broker: number; readonly link: LinkName; readonly duration: number }
  | {
      readonly kind: 'stallLink'
      readonly broker: number
      readonly link: LinkName
      readonly directions: readonly Direction[]
      readonly duration: number
    }
  | {
      readonly kind: 'slowLink'
      readonly broker: number
      readonly link: LinkName
      readonly delay: number
      readonly duration: number
    }
  | { readonly kind: 'killRedis'; readonly downFor: number }
  | { readonly kind: 'freezeRedis'; readonly duration: number }
  /** Redis takes nothing any more that needs memory. */
  | { readonly kind: 'fillRedis'; readonly duration: number }
  /** The replica hears nothing for so long; then the primary is killed, and the replica takes its place with what it has. */
  | { readonly kind: 'loseUnreplicated'; readonly stalledFor: number; readonly downFor: number }
  /** Redis is killed, and comes back as it was so long ago. */
  | { readonly kind: 'rewindRedis'; readonly by: number; readonly downFor: number }
  /** FLUSHALL. */
  | { readonly kind: 'emptyRedis' }
  /** The disk of the directory has no room left. */
  | { readonly kind: 'fillDisk'; readonly duration: number }
  /** One client identifier connects to all brokers, again and again. */
  | { readonly kind: 'storm'; readonly rounds: number }

export type LinkName = 'redis' | 'clients'

export interface PlannedFault {
  /** Milliseconds after the faults have begun. */
  readonly at: number
  readonly fault: Fault
}

/** Drawn by the time of the run, not by weight. */
type PlannedApart = 'loseUnreplicated' | 'rewindRedis' | 'emptyRedis'

const weights: readonly (readonly [Exclude<Fault['kind'], 'fillDisk' | PlannedApart>, number])[] = [
  ['kill', 26],
  ['killAtPoint', 20],
  ['cutAtPoint', 10],
  ['stop', 7],
  ['cutLink', 20],
  ['stallLink', 9],
  ['slowLink', 4],
  ['killRedis', 3],
  ['freezeRedis', 3],
  ['fillRedis', 3],
  ['storm', 6],
]

/** ms from one filling of the disk to the next. */
const betweenFillings = [8000, 25_000] as const

export interface PlanOptions {
  /** That it lasts. */
  readonly milliseconds: number
  readonly brokers: number
  /** Where sessions are: without Redis there is less to break, so brokers are killed more often. */
  readonly store: StoreName
  /** Redis has a replica that takes its place. */
  readonly replicated?: boolean
  /** Default `large`; `small`: it is filled to the last byte from time to time. */
  readonly disk?: Disk
  /** Processes of each broker, default 1: of more, one is struck at a time. */
  readonly workers?: number
}

export type Disk = 'large' | 'small'

/** The whole schedule of a run, by the seed alone. */
export function planFaults(random: Random, options: PlanOptions): PlannedFault[] {
  const { milliseconds, brokers, store, disk = 'large', workers = 1 } = options
  const plan: PlannedFault[] = store === 'redis' ? planLosses(random, options) : []
  // A primary forks workers that live for less than 10 s later and later: there should be some most of the time.
  const [shortest, longest] = store === 'redis' ? [700, 3300] : workers === 1 ? [350, 1300] : [1400, 5200]
  for (let at = random.between(500, 1500); at < milliseconds; at += random.between(shortest, longest)) {
    const fault = store === 'redis' ? draw(random, brokers) : drawWithoutRedis(random, brokers)
    plan.push({ at, fault })
  }
  if (disk === 'small') plan.push(...planFillings(random, milliseconds))
  return plan.toSorted((one, other) => one.at - other.at)
}

function planFillings(random: Random, milliseconds: number): PlannedFault[] {
  const plan: PlannedFault[] = []
  for (let at = random.between(...betweenFillings); at < milliseconds; at += random.between(...betweenFillings)) {
    plan.push({ at, fault: { kind: 'fillDisk', duration: random.between(200, 4000) } })
  }
  return plan
}

/** Parts of a run's time from which on Redis loses what it has. */
const losses = { rewindRedis: [0.2, 0.75], emptyRedis: [0.5] } as const
/** A run has none that is shorter (ms): what is lost is not judged, and that would be most of it. */
const leastForLosses = 240_000
/** ms from one loss of a primary to the next. */
const betweenUnreplicated = [40_000, 80_000] as const

function planLosses(random: Random, { milliseconds, replicated = false }: PlanOptions): PlannedFault[] {
  const plan: PlannedFault[] = []
  const downFor = (): number => random.between(50, 1500)
  if (replicated) {
    const apart = (): number => random.between(...betweenUnreplicated)
    for (let at = random.between(5000, 40_000); at < milliseconds; at += apart()) {
      plan.push({ at, fault: { kind: 'loseUnreplicated', stalledFor: random.between(50, 6000), downFor: downFor() } })
    }
    return plan
  }
  if (milliseconds < leastForLosses) return plan
  for (const part of losses.rewindRedis) {
    const at = Math.round((part + random.between(0, 100) / 1000) * milliseconds)
    plan.push({ at, fault: { kind: 'rewindRedis', by: random.between(200, 8000), downFor: downFor() } })
  }
  for (const part of losses.emptyRedis)
    plan.push({ at: Math.round(part * milliseconds), fault: { kind: 'emptyRedis' } })
  return plan
}

function drawWithoutRedis(random: Random, brokers: number): Fault {
  for (;;) {
    const fault = draw(random, brokers)
    if (fault.kind === 'killRedis' || fault.kind === 'freezeRedis' || fault.kind === 'fillRedis') continue
    if ('link' in fault && fault.link === 'redis') continue
    if ('point' in fault && points.some(({ name, link }) => name === fault.point && link === 'redis')) continue
    return fault
  }
}

function beyondLease(random: Random): number {
  return random.between(10_500, 13_000)
}

function draw(random: Random, brokers: number): Fault {
  const broker = random.between(0, brokers - 1)
  const downFor = random.between(50, 1500)
  // Sometimes longer than a lease.
  const duration = random.chance(0.1) ? beyondLease(random) : random.between(50, 4000)
  const link = random.chance(0.65) ? 'redis' : 'clients'
  const kind = random.weighed(weights)
  switch (kind) {
    case 'kill':
      return { kind, broker, downFor }
    case 'killAtPoint':
      return { kind, broker, point: random.pick(points).name, downFor }
    case 'cutAtPoint':
      return { kind, broker, point: random.pick(points).name }
    case 'stop':
      return { kind, broker, duration: random.chance(0.25) ? beyondLease(random) : duration }
    case 'cutLink':
      return { kind, broker, link, duration }
    case 'stallLink':
      return { kind, broker, link, duration, directions: random.pick([['up'], ['down'], ['up', 'down']] as const) }
    case 'slowLink':
      return { kind, broker, link, duration, delay: random.between(5, 80) }
    case 'killRedis':
      return { kind, downFor }
    case 'freezeRedis':
    case 'fillRedis':
      return { kind, duration: Math.min(duration, 4000) }
    default:
      return { kind, rounds: random.between(2, 6) }
  }
}
