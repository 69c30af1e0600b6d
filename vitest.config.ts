import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

/** Tests read the TypeScript sources of every package; only tests that start processes need `dist`. */
const conditions = ['@x/source', 'node']
/** Their tests start servers or write to disk: they wait more than they compute. */
const services =
  'packages/{aedes-compat,emitter-redis,persistence-lmdb,persistence-redis,redis-connection}/test/**/*.test.ts'
const endToEnd = '{packages/*,tools/chaos,tools/reliability}/test/**/*.e2e.ts'

/** End-to-end tests with few processes, or none but this one: they run with every `npm test`. */
const exchanges = [
  'packages/broker/test/{bad-ways-in,bridge-transports,command,exchange,haproxy,mosquitto-5,mosquitto-beside}.e2e.ts',
  'packages/broker/test/{connection-places,one-port,rates,redis-round-trips,revocation,tls,tls-psk,wrong-port}.e2e.ts',
  'packages/bridge/test/{bridge,connections,rings}.e2e.ts',
  'packages/{sys-topics,tracing,transport-ws}/test/*.e2e.ts',
]

/** They kill processes again and again, or start many servers. */
const failures = [
  'packages/persistence-lmdb/test/{killed,killed-together,power-failure}.test.ts',
  'packages/{emitter,persistence}-redis/test/{failover,killed-broker,large-sessions,lost-routes,older-redis,replicated}.test.ts',
  'packages/redis-connection/test/server-kinds.test.ts',
]

/** They do so much, or so often, that each takes seconds. */
const load = [
  'packages/broker-core/test/{asynchronous-store,bad-input,fan-outs,failing-hooks,failing-listeners,hook-results,log-in,unreadable-errors}.test.ts',
  'packages/broker-core/test/{many-subscriptions,ordering,outbox,overtaken-retained,publish-run,retained,session}.test.ts',
  'packages/broker-core/test/{slow-consumer,store-limits,subscriber-run,subscription-limits,turn,waiting-queue}.test.ts',
  'packages/broker-core/test/{conformance/{connack,strings},conformance-3/acknowledge}.test.ts',
  'packages/{auth/test/{dynamic-security,own-rules,password-file},broker/test/scram,metrics/test/metrics}.test.ts',
  'packages/{contract/test/*-mutants,emitter-mesh/test/{compliance,cut-links,other-processes,strangers}}.test.ts',
  'packages/{packet/test/{mqtt-packet,publish-writer,topic-interner},topic-trie/test/{filter-trie,topic-index}}.test.ts',
]

/** ms that a test waits for what must come, which costs nothing when it comes: a busy machine is slow, not wrong. Processes are slower. */
const [patience, patienceWithProcesses] = [20_000, 40_000]

/** The numbered statements of MQTT, so that tests can carry them: `vitest --tags-filter MQTT5-3.3.1-5` runs what proves one. */
const statements = [
  ['MQTT5', '5.0'],
  ['MQTT3', '3.1.1'],
].flatMap(([standard = '', version]) =>
  readFileSync(new URL(`tools/conformance/mqtt-${version}-statements.tsv`, import.meta.url), 'utf8')
    .split('\n')
    .filter(row => row.startsWith('MQTT-'))
    .map(row => ({ name: row.slice(0, row.indexOf('\t')).replace('MQTT', standard) })),
)

function project(name: string, timeout: number, own: object): object {
  const waits = { testTimeout: 3 * timeout, hookTimeout: 3 * timeout, expect: { poll: { timeout, interval: 20 } } }
  return { ssr: { resolve: { conditions } }, test: { name, ...waits, isolate: false, ...own } }
}

// Files share a process, as the parts of a program do, which saves loading every module for each: none may leave anything behind.
// End-to-end tests wait more than they compute, so that more of them go on than there are cores.
export default defineConfig({
  test: {
    tags: statements,
    projects: [
      project('unit', patience, {
        include: ['{packages/*,benchmarks,tools/chaos,tools/reliability}/test/**/*.test.ts'],
        exclude: [services, ...load],
        maxWorkers: 2,
        sequence: { groupOrder: 1 },
      }),
      project('load', patience, { include: load, maxWorkers: 2, sequence: { groupOrder: 1 } }),
      project('services', patienceWithProcesses, {
        include: [services, ...exchanges],
        exclude: failures,
        maxWorkers: 3,
        sequence: { groupOrder: 2 },
      }),
      project('long', patienceWithProcesses, {
        include: [endToEnd, ...failures],
        exclude: exchanges,
        maxWorkers: 3,
        sequence: { groupOrder: 3 },
      }),
    ],
    // ms; what a killed process of a test still holds is not waited for.
    teardownTimeout: 2000,
    coverage: { include: ['packages/*/src/**'] },
  },
})
