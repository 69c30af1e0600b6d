import { expect, test } from 'vitest'
import { type CpuProfile, sharesOf } from '../src/cpu-profile.ts'

type Row = readonly [functionName: string, url: string, microseconds: number, children?: readonly number[]]

/** Each row a node; its samples follow each other. */
function profileOf(rows: readonly Row[]): CpuProfile {
  return {
    nodes: rows.map(([functionName, url, , children = []], id) => ({ id, callFrame: { functionName, url }, children })),
    samples: rows.map((_row, id) => id),
    timeDeltas: rows.map(([, , microseconds]) => microseconds),
  }
}

test('time is told apart by the files that it was spent in, and native functions count as the kernel', () => {
  const shares = sharesOf([
    profileOf([
      ['(root)', '', 0, [1, 3, 4, 5, 6, 7, 8]],
      ['onStreamRead', 'node:internal/stream_base_commons', 100, [2]],
      ['writeBuffer', '', 200],
      ['read', 'file:///x/packages/packet/dist/publish-frame.js', 200],
      ['match', 'file:///x/packages/topic-trie/dist/filter-trie.js', 100],
      ['plan', 'file:///x/packages/broker-core/dist/router.js', 100],
      ['publish', 'file:///x/packages/persistence-memory/dist/memory-persistence.js', 100],
      ['(garbage collector)', '', 100],
      ['flush', 'file:///x/packages/emitter-mesh/dist/outgoing-link.js', 100],
    ]),
  ])
  expect(Object.fromEntries(shares)).toEqual({
    kernel: 0.2,
    'Node.js': 0.1,
    codec: 0.2,
    routing: 0.2,
    engine: 0,
    links: 0.1,
    store: 0.1,
    'garbage collection': 0.1,
  })
})

test('idling and the loading of modules, with all below it, are left out', () => {
  const shares = sharesOf([
    profileOf([
      ['(root)', '', 0, [1, 2, 4]],
      ['(idle)', '', 5000],
      ['wrapSafe', 'node:internal/modules/cjs/loader', 900, [3]],
      ['readFileUtf8', '', 900],
      ['deliver', 'file:///x/packages/broker-core/dist/delivery.js', 10],
    ]),
  ])
  expect(shares.get('engine')).toBe(1)
})

test('a profile without samples has no shares', () => {
  expect([...sharesOf([profileOf([])]).values()]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
})

test('the processes of one broker count together', () => {
  const [one, other] = [
    profileOf([
      ['(root)', '', 0, [1]],
      ['read', 'file:///x/packages/packet/dist/publish-frame.js', 100],
    ]),
    profileOf([
      ['(root)', '', 0, [1]],
      ['flush', 'file:///x/packages/emitter-mesh/dist/outgoing-link.js', 300],
    ]),
  ]
  expect(sharesOf([one, other]).get('links')).toBe(0.75)
})
