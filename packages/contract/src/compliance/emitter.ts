import type { EmitterUnderTest } from './emitter/bench.ts'
import { EmitterBench } from './emitter/bench.ts'
import { messageTests } from './emitter/messages.ts'
import { presenceTests } from './emitter/presence.ts'
import { routeTests } from './emitter/routes.ts'
import { turnTests } from './emitter/turns.ts'
import type { DefineTest } from './runner.ts'

export type { EmitterNetwork, EmitterUnderTest } from './emitter/bench.ts'
export type { DefineTest } from './runner.ts'

/** What the suite needs: a runner and networks of emitters. */
export interface EmitterCompliance extends EmitterUnderTest {
  readonly test: DefineTest
}

/** Defines the tests of every promise that `Emitter` makes, each with a network of its own. */
export function emitterCompliance(options: EmitterCompliance): void {
  const define = (title: string, run: (bench: EmitterBench) => Promise<void>): void => {
    options.test(title, async () => {
      const bench = new EmitterBench(await options.factory(), options.settleMilliseconds ?? 0)
      try {
        await run(bench)
      } finally {
        await bench.closeAll()
      }
    })
  }
  routeTests(define)
  messageTests(define)
  turnTests(define, options.takesTurns ?? true)
  presenceTests(define, options.reportsPresence ?? true)
}
