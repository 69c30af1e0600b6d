import { FunctionLibrary, serverGeneration } from '@x/redis-connection'
import { adoption } from './adoption.ts'
import { context } from './context.ts'
import { fanOuts, fanOutsUnderWay } from './fan-outs.ts'
import { generation } from './generation.ts'
import { groups } from './shared-groups.ts'
import { matching } from './matching.ts'
import { publish } from './publish.ts'
import { queue } from './session-queue.ts'
import { remains } from './remains.ts'
import { retained } from './retained-store.ts'
import { schema } from './schema.ts'
import { sessions } from './session-store.ts'
import { settlements } from './settlements.ts'
import { shown } from './shown-sessions.ts'
import { subscriptions } from './subscriptions.ts'
import { tasks } from './tasks.ts'
import { work } from './work.ts'

/** What frees memory, or must not fail for want of it, goes on when `maxmemory` is reached. */
const freeing = ['allow-oom']
const reading = ['no-writes']

/** Every change of the store, each a function. The order matters: a part uses those before it. */
export const library: FunctionLibrary = new FunctionLibrary(
  'x_persistence',
  [
    serverGeneration,
    generation,
    schema,
    context,
    retained,
    queue,
    shown,
    settlements,
    fanOutsUnderWay,
    subscriptions,
    groups,
    remains,
    matching,
    fanOuts,
    work,
    sessions,
    tasks,
    publish,
    adoption,
  ].join('\n'),
  {
    open: [],
    subscriptions: reading,
    close: freeing,
    due: freeing,
    confirm: freeing,
    // Without a replica nothing is acknowledged, but nobody is sent away either.
    lease: [...freeing, 'unreplicated'],
    leave: freeing,
    schema: freeing,
    // Its answer waits for replicas, and so confirms everything before it.
    floor: freeing,
    counts: reading,
    subscribe: [],
    unsubscribe: freeing,
    follow: freeing,
    publish: [],
    spread: [],
    enqueue: [],
    behind: freeing,
    read: freeing,
    entry: reading,
    list: reading,
    clear: freeing,
    missed: freeing,
    settle: freeing,
    claim: freeing,
    hold: freeing,
    giveUp: freeing,
    retained: reading,
    adopted: reading,
    adopt: [],
    adoptRetained: [],
    adoptWill: [],
  },
  ['FENCED', 'QUOTA', 'LEASE', 'BEHIND'],
)
