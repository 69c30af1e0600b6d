import type { PersistenceHost } from '@x/contract'
import { Commits } from './commits.ts'
import { Deadlines } from './deadlines.ts'
import { prepareDirectory } from './directory.ts'
import { Distribution } from './distribution.ts'
import { Environment } from './environment.ts'
import { Instances } from './instances.ts'
import { Lookout } from './lookout.ts'
import { MachineTime } from './machine-time.ts'
import { Neighbours } from './neighbours.ts'
import type { CheckedOptions } from './options.ts'
import { OwnedSessions } from './owned-sessions.ts'
import { QueueExpiry } from './queue-expiry.ts'
import { RetainedShares } from './retained-shares.ts'
import { RetainedStore } from './retained-store.ts'
import { SessionQueues } from './session-queue.ts'
import { SessionStore } from './session-store.ts'
import { Settlements } from './settlements.ts'
import { SharedGroups } from './shared-groups.ts'
import { SharedMessages } from './shared-messages.ts'
import { StoredWills } from './wills.ts'
import { Subscriptions } from './subscriptions.ts'
import { TotalRoom } from './total-room.ts'
import { UnwrittenRetained } from './unwritten-retained.ts'
import { WorkingSet } from './working-set.ts'

/** The parts of an open store. */
export interface StoreParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly commits: Commits
  readonly owned: OwnedSessions
  readonly time: MachineTime
  readonly clock: MachineTime
  readonly instances: Instances
  readonly lookout: Lookout
  readonly subscriptions: Subscriptions
  readonly queues: SessionQueues
  readonly groups: SharedGroups
  readonly expiry: QueueExpiry
  readonly deadlines: Deadlines
  readonly shares: RetainedShares
  readonly wills: StoredWills
  readonly retained: RetainedStore
  readonly unwritten: UnwrittenRetained
  readonly sessions: SessionStore
  readonly settlements: Settlements
  readonly distribution: Distribution
}

/** Opens the directory and wires the parts that read and write it.
 * @throws PersistenceError `UNAVAILABLE` when it can't be a store of this version */
export function storeParts(options: CheckedOptions, host: PersistenceHost): StoreParts {
  const { directory, durability, exclusive, interval, maximumSessions } = options
  const { brokerId, limits, slices } = host
  prepareDirectory(directory)
  const environment = new Environment({ directory, sync: durability !== 'process' })
  const clock = new MachineTime(host.clock)
  const dropped = host.dropped.bind(host)
  const groupReady = host.groupReady.bind(host)
  const report = (): void => commits.later()
  const set = new WorkingSet(environment, `${process.pid} ${performance.timeOrigin} ${performance.now()}`)
  const instances = new Instances(environment)
  const owned = new OwnedSessions({ report, catchUp: handle => lookout.look(handle) })
  const neighbours = new Neighbours(instances, hint => lookout.hear(hint))
  const deadlines = new Deadlines(environment)
  const messages = new SharedMessages(environment, set)
  const subscriptions = new Subscriptions(
    environment,
    set,
    host.queuesAtMostOnce === true ? 'every QoS' : 'QoS 1 and 2',
  )
  const room = new TotalRoom({
    set,
    limits,
    dropOldest: queue => ('clientId' in queue ? queues.giveWay(queue) : groups.giveWay(queue)),
  })
  const expiry = new QueueExpiry({ set, deadlines, clock })
  const waiting = { environment, set, messages, room, expiry, limits, clock, dropped }
  const queues = new SessionQueues(waiting)
  const groups = new SharedGroups({ ...waiting, subscriptions, queues })
  const wills = new StoredWills({ environment, set, deadlines, clock })
  const shares = new RetainedShares(environment, limits)
  const retained = new RetainedStore({ environment, set, clock, limits: options, shares })
  const unwritten = new UnwrittenRetained({ retained, clock, isAlone: () => neighbours.isAlone, report })
  const stored = { host, set, subscriptions, messages, queues, groups, owned, instances, neighbours, time: clock }
  const distribution = new Distribution(stored)
  const settlements = new Settlements({ set, owned, queues, groups, instances, unwritten, report })
  const commits = new Commits({ environment, frame: settlements, clock, slices, interval })
  const sessions = new SessionStore({
    ...stored,
    environment,
    wills,
    deadlines,
    clock,
    maximumSessions,
    limits,
    fence: (owner, handle) => lookout.fence(owner, handle),
    groupsReady: names => distribution.announce(names, undefined),
  })
  const watched = { directory, exclusive, durability, brokerId, clock, commits, distribution, sessions, groupReady }
  const lookout = new Lookout({ ...stored, ...watched })
  return {
    environment,
    set,
    commits,
    owned,
    time: clock,
    clock,
    instances,
    lookout,
    subscriptions,
    queues,
    groups,
    expiry,
    deadlines,
    shares,
    wills,
    retained,
    unwritten,
    sessions,
    settlements,
    distribution,
  }
}
