import { defineConfig } from 'vitest/config'

/** Tests read the TypeScript sources of every package; only tests that start processes need `dist`. */
const conditions = ['@x/source', 'node', 'module']
/** Their tests start servers or write to disk, as end-to-end tests do: they wait more than they compute. */
const services =
  'packages/{aedes-compat,emitter-redis,persistence-lmdb,persistence-redis,redis-connection}/test/**/*.test.ts'

/** ms that a test waits for what must come, which costs nothing when it comes: a busy machine is slow, not wrong. */
const poll = { timeout: 20_000, interval: 20 }

// Files share a process, as the parts of a program do, which saves loading every module for each: none may leave anything behind.
// End-to-end tests wait more than they compute, so that more of them go on than there are cores.
export default defineConfig({
  test: {
    projects: [
      {
        ssr: { resolve: { conditions } },
        test: {
          name: 'unit',
          include: ['{packages/*,benchmarks,tools/chaos,tools/reliability}/test/**/*.test.ts'],
          exclude: [services],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll },
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ssr: { resolve: { conditions } },
        test: {
          name: 'services',
          include: [services, '{packages/*,tools/chaos,tools/reliability}/test/**/*.e2e.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll },
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
    ],
    // ms; what a killed process of a test still holds is not waited for.
    teardownTimeout: 2000,
    coverage: { include: ['packages/*/src/**'] },
  },
})
