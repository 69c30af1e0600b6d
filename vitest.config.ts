import { defineConfig } from 'vitest/config'

/** Tests read the TypeScript sources of every package; only tests that start processes need `dist`. */
const conditions = ['@x/source', 'node', 'module']
const project = (name: string, include: string[]) => ({
  ssr: { resolve: { conditions } },
  test: { name, include, testTimeout: 10_000 },
})

export default defineConfig({
  test: {
    projects: [
      project('unit', ['packages/*/test/**/*.test.ts', '{benchmarks,tools/chaos,tools/reliability}/test/**/*.test.ts']),
      project('end-to-end', ['{packages/*,tools/chaos,tools/reliability}/test/**/*.e2e.ts']),
    ],
    coverage: { include: ['packages/*/src/**'] },
  },
})
