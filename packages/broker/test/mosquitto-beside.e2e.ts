import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { startBeside } from './beside/brokers.ts'
import type { Beside } from './beside/brokers.ts'
import { generatedAcls, usernames } from './beside/generated-acl.ts'
import type { GeneratedAcl } from './beside/generated-acl.ts'
import { scenarios } from './beside/options.cases.ts'
import { as, play, settle } from './beside/scenario.ts'
import { WireClient } from './beside/wire-client.ts'

// Debian's Mosquitto and x-broker with the same files and the same clients. Mosquitto runs as a process, x-broker in this one.

let users = ''

beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), 'users-'))
  const file = join(directory, 'users')
  execFileSync('mosquitto_passwd', ['-c', '-b', file, 'ann', 'ann'])
  execFileSync('mosquitto_passwd', ['-b', file, 'bob', 'bob'])
  users = readFileSync(file, 'utf8')
  rmSync(directory, { recursive: true })
})

const cases = scenarios.flatMap(scenario =>
  (scenario.versions ?? [4, 5]).map(version => ({ ...scenario, version, name: `${scenario.title}, MQTT ${version}` })),
)

test.for(cases)('$name: both brokers do the same', async ({ files, steps, version }) => {
  const all = { users, ...files }
  const [theirs, ours] = await Promise.all([startBeside('mosquitto', all), startBeside('x-broker', all)])
  const [expected, found] = [await play(theirs, version, steps), await play(ours, version, steps)]
  expect(found).toEqual(expected)
})

/** Everybody subscribes to all; for each file everybody publishes on all its topics. What each has got of it, acknowledgements included. */
async function byRules(broker: Beside, acls: readonly GeneratedAcl[]): Promise<string[]> {
  const clients = new Map<string, WireClient>()
  onTestFinished(() => clients.forEach(client => client.end()))
  for (const [name, username] of [['c0'], ['c+', 'u3'], ...usernames.map((one, index) => [`c${index + 1}`, one])]) {
    const client = new WireClient(broker.socketOf('main'), 5)
    clients.set(`${name}`, client)
    await client.connect({ clientId: `${name}`, ...(username !== undefined && as(username, 'x')) })
    for (const topic of ['#', '$x/#']) await client.send({ cmd: 'subscribe', subscriptions: [{ topic, qos: 0 }] })
  }
  const all = [...clients.values()]
  const findings: string[] = []
  for (const { text, topics } of acls) {
    await broker.reload({ acl: text })
    await settle(all)
    for (const [name, client] of clients) {
      for (const topic of topics)
        client.post({ cmd: 'publish', topic, payload: name, qos: 1, retain: false, dup: false })
    }
    await settle(all)
    for (const [name, client] of clients) findings.push(`${text}\n${name}: ${client.take().join('; ')}`)
  }
  return findings
}

test('200 ACL files that were made up, one after the other: both brokers permit and deliver the same', async () => {
  const acls = generatedAcls(200)
  const files = { 'm.conf': 'listener main\nallow_anonymous true\nacl_file DIR/acl\n', acl: '' }
  const [theirs, ours] = await Promise.all([startBeside('mosquitto', files), startBeside('x-broker', files)])
  const [expected, found] = [await byRules(theirs, acls), await byRules(ours, acls)]
  expect(found).toEqual(expected)
  expect(expected.filter(line => line.includes('publish ')).length).toBeGreaterThan(200)
})
