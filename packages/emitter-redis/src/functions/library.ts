import { FunctionLibrary, serverGeneration } from '@x/redis-connection'
import { inbox } from './inbox.ts'
import { routes } from './routes.ts'

/** What must not fail for want of memory: who is there, and what frees some. */
const vital = ['allow-oom']

/** Every change of the emitter's, each a function. */
export const library: FunctionLibrary = new FunctionLibrary(
  'x_emitter',
  [serverGeneration, routes, inbox].join('\n'),
  {
    stage: vital,
    join: vital,
    renew: vital,
    route: [],
    unroute: vital,
    since: ['no-writes'],
    leave: vital,
    tend: vital,
    send: [],
    close: vital,
  },
  ['LOST'],
)
