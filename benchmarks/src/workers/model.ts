import { compact } from '../report.ts'

/** What was measured with all processes on one core, µs of CPU. */
export interface StepCosts {
  /** A QoS 1 message without receivers, PUBACK included. */
  readonly publish: number
  /** A QoS 1 message to one receiver at the same worker. */
  readonly pair: number
  /** What it costs more when the receiver is at another worker. */
  readonly crossing: number
  /** One delivery of a QoS 0 message to many. */
  readonly delivery: number
  /** A message that goes to one more worker, on both sides. */
  readonly copy: number
  /** A connection, at its worker. */
  readonly connection: number
  /** The same connection, at the primary. */
  readonly handOut: number
}

const receivers = 1000

/** Of one row of the projection. */
export interface Projection {
  readonly name: string
  readonly perSecond: number
  /** What is busy first. */
  readonly limit: string
}

/** Throughput of as many workers as there are cores, when the load, the network and the kernel take none of them. */
export function project(costs: StepCosts, cores: number): readonly Projection[] {
  const elsewhere = (cores - 1) / cores
  // One publisher: its worker delivers its part, and sends a copy to every other one.
  const fanOut = (receivers / cores) * costs.delivery + (cores - 1) * costs.copy
  const ownPart = (receivers / cores) * costs.delivery
  const connections = [cores / costs.connection, 1 / costs.handOut] as const
  return [
    { name: 'publishers-1000', perSecond: (cores / costs.publish) * 1e6, limit: 'the cores' },
    { name: 'pairs-100', perSecond: (cores / (costs.pair + costs.crossing * elsewhere)) * 1e6, limit: 'the cores' },
    {
      name: 'fanout-1000, one publisher',
      perSecond: (receivers / fanOut) * 1e6,
      limit: ownPart > fanOut / 2 ? 'the cores' : 'copies to other workers, at the publisher’s worker',
    },
    {
      name: 'fanout-1000, a publisher at each worker',
      perSecond: ((receivers * cores) / (receivers * costs.delivery + (cores - 1) * costs.copy)) * 1e6,
      limit: receivers * costs.delivery > (cores - 1) * costs.copy ? 'the cores' : 'copies to other workers',
    },
    {
      name: 'connect-storm',
      perSecond: Math.min(...connections) * 1e6,
      limit: connections[0] < connections[1] ? 'the cores' : 'the primary, which hands out connections',
    },
  ]
}

/** `4.1 M (the cores)` */
export function projectionText({ perSecond, limit }: Projection): string {
  return `${compact(perSecond)} (${limit})`
}
