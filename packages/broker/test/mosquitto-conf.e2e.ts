import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { connectWhenListening } from './connect-when-listening.ts'
import { StartedProcess, commandFile } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const acl = `topic read end/#
topic read public/#
user ann
topic readwrite end/#
topic readwrite house/#
topic deny house/secret
topic write drop/+
user bob
topic readwrite #
pattern write clients/%c/status
pattern read mail/%u/#
`

/** What the two brokers are to agree on: who comes in, and who gets what of it. */
interface Findings {
  readonly admissions: readonly (number | string)[]
  readonly received: Readonly<Record<string, readonly string[]>>
}

const logins: readonly IClientOptions[] = [
  {},
  { username: 'ann', password: 'a' },
  { username: 'ann', password: 'b' },
  { username: 'ann' },
  { username: 'nobody', password: 'a' },
]

const topics = [
  'house/lamp',
  'house/secret',
  'drop/x',
  'public/x',
  'clients/ann/status',
  'clients/bob/status',
  'mail/ann/1',
  'mail/bob/1',
  'other',
]

async function admission(port: number, options: IClientOptions): Promise<number | string> {
  try {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options })
    await client.endAsync(true)
    return 'in'
  } catch (error) {
    return (error as { code: number }).code
  }
}

/** Ann, bob and somebody without name subscribe to all; then ann and bob publish on every topic. */
async function exchange(port: number, protocolVersion: 4 | 5): Promise<Findings['received']> {
  const received: Record<string, string[]> = {}
  const enter = async (clientId: string, options: IClientOptions): Promise<MqttClient> => {
    const url = `mqtt://127.0.0.1:${port}`
    const client = await connectAsync(url, { clientId, protocolVersion, reconnectPeriod: 0, ...options })
    onTestFinished(() => void client.end(true))
    const inbox: string[] = []
    received[clientId] = inbox
    client.on('message', (topic, payload) => inbox.push(`${topic} ${payload.toString()}`))
    await client.subscribeAsync(['#', 'end/#'], { qos: 1 })
    return client
  }
  const ann = await enter('ann', { username: 'ann', password: 'a' })
  const bob = await enter('bob', { username: 'bob', password: 'b' })
  await enter('none', {})
  for (const [name, client] of [
    ['ann', ann],
    ['bob', bob],
  ] as const) {
    for (const topic of topics) await client.publishAsync(topic, `of ${name}`, { qos: 1 }).catch(() => undefined)
  }
  const everybodyIsDone = expect.poll(() => Object.values(received).every(inbox => inbox.includes('end/x done')))
  await bob.publishAsync('end/x', 'done', { qos: 1 })
  await everybodyIsDone.toBe(true)
  // Overlapping subscriptions may bring a message once or twice.
  return Object.fromEntries(Object.entries(received).map(([name, inbox]) => [name, [...new Set(inbox)].toSorted()]))
}

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT ${protocolVersion}: Mosquitto and x-broker admit, refuse and deliver the same by the same files`, async () => {
    const directory = temporaryFolder(0o755)
    const users = join(directory, 'users')
    execFileSync('mosquitto_passwd', ['-c', '-b', users, 'ann', 'a'])
    execFileSync('mosquitto_passwd', ['-b', users, 'bob', 'b'])
    chmodSync(users, 0o644)
    writeFileSync(join(directory, 'acl'), acl)
    const findings: Findings[] = []
    for (const program of ['mosquitto', process.execPath]) {
      const port = await freePort()
      const file = join(directory, `${port}.conf`)
      writeFileSync(
        file,
        `listener ${port} 127.0.0.1\nallow_anonymous true\npassword_file ${users}\nacl_file ${directory}/acl\n`,
      )
      const broker = new StartedProcess(program, [...(program === 'mosquitto' ? [] : [commandFile]), '-c', file])
      onTestFinished(() => broker.stop())
      await (await connectWhenListening(`mqtt://127.0.0.1:${port}`)).endAsync()
      const admissions: (number | string)[] = []
      for (const login of logins) admissions.push(await admission(port, { protocolVersion, ...login }))
      findings.push({ admissions, received: await exchange(port, protocolVersion) })
    }
    const [mosquitto, ours] = findings
    expect(mosquitto?.admissions.slice(0, 2)).toEqual(['in', 'in'])
    expect(mosquitto?.received['ann']).toContain('house/lamp of bob')
    expect(ours).toEqual(mosquitto)
  })
}
