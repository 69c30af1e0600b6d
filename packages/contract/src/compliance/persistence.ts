import type { PersistenceUnderTest } from './persistence/bench.ts'
import { Bench } from './persistence/bench.ts'
import { countTests } from './persistence/counts.ts'
import { deadlineTests } from './persistence/deadlines.ts'
import { lifecycleTests } from './persistence/lifecycle.ts'
import { limitTests } from './persistence/limits.ts'
import { matchingTests } from './persistence/matching.ts'
import { offeringTests } from './persistence/offering.ts'
import { queueTests } from './persistence/queue.ts'
import { receiptTests } from './persistence/receipts.ts'
import { retainedTests } from './persistence/retained.ts'
import { secondBrokerTests } from './persistence/second-broker.ts'
import { sessionTests } from './persistence/sessions.ts'
import { sharedGroupTests } from './persistence/shared-groups.ts'
import { subscriptionTests } from './persistence/subscriptions.ts'
import { shownSessionTests } from './persistence/shown-sessions.ts'
import { unsharedTests } from './persistence/unshared.ts'
import { willTests } from './persistence/wills.ts'
import type { DefineTest } from './runner.ts'

export type { PersistenceUnderTest } from './persistence/bench.ts'
export type { DefineTest } from './runner.ts'

/** What the suite needs: a runner and a store. */
export interface PersistenceCompliance extends PersistenceUnderTest {
  readonly test: DefineTest
}

/** Defines the tests of every promise that `Persistence` makes. A store that passes them all can be given to a broker.
 *
 * Makes one store outside of a test, never opened, to see what it `supports`. Every test closes what it opened. */
export async function persistenceCompliance(options: PersistenceCompliance): Promise<void> {
  const { supports, storedSessions } = await options.factory()
  const defineUnopened = (title: string, run: (bench: Bench) => Promise<void>): void => {
    options.test(title, async () => {
      const bench = new Bench(options, await options.factory())
      try {
        await run(bench)
      } finally {
        await bench.closeAll()
      }
    })
  }
  const define = (title: string, run: (bench: Bench) => Promise<void>): void => {
    defineUnopened(title, async bench => {
      await bench.open()
      await run(bench)
    })
  }
  lifecycleTests(defineUnopened, supports)
  limitTests(defineUnopened, supports)
  for (const tests of [
    sessionTests,
    subscriptionTests,
    matchingTests,
    queueTests,
    offeringTests,
    receiptTests,
    retainedTests,
    willTests,
    deadlineTests,
    countTests,
    supports.sharedSubscriptions ? sharedGroupTests : unsharedTests,
  ]) {
    tests(define)
  }
  if (storedSessions !== undefined) shownSessionTests(define)
  if (options.reopen !== undefined) secondBrokerTests(define, supports)
}
