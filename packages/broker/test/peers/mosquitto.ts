import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { StartedProcess, portOf } from '../started-command.ts'
import { versionNames } from './peer.ts'
import type { Peer, QoS, Received, Sent, Subscriber, Version } from './peer.ts'

/** Why mosquitto's clients can't be used here; undefined when they can. Continuous integration must have them, so there
 * their absence is left to fail. */
export function mosquittoMissing(): string | undefined {
  if (process.env['CI'] === 'true' || spawnSync('mosquitto_pub', ['--help']).error === undefined) return undefined
  return 'mosquitto_pub is missing: apt-get install mosquitto-clients'
}

const versionOptions: Record<Version, string> = { 3: 'mqttv31', 4: 'mqttv311', 5: 'mqttv5' }

/** One line for each message: QoS, RETAIN, topic, payload. */
const format = '%q %r %t %p'
const lineForm = /^([012]) ([01]) (\S+) (.*)$/

/** mosquitto_pub and mosquitto_sub, each message and each subscription a process of its own. */
export class Mosquitto implements Peer {
  readonly name: string
  readonly #version: Version

  constructor(version: Version) {
    this.name = `mosquitto ${versionNames[version]}`
    this.#version = version
  }

  async publish(url: string, { topic, payload, qos, retain }: Sent): Promise<void> {
    const content = payload === '' ? ['-n'] : ['-m', payload]
    const parameters = ['-t', topic, '-q', `${qos}`, ...content, ...(retain === true ? ['-r'] : [])]
    await this.#done(this.#start('mosquitto_pub', url, parameters))
  }

  async subscribe(url: string, filter: string, qos: QoS): Promise<Subscriber> {
    return this.#subscribe(url, ['-t', filter, '-q', `${qos}`])
  }

  async openSession(url: string, clientId: string, filter: string): Promise<void> {
    // -E: leave once the subscription is acknowledged.
    await this.#done(this.#start('mosquitto_sub', url, [...this.#session(clientId), '-t', filter, '-q', '2', '-E']))
  }

  resumeSession(url: string, clientId: string, filter: string): Promise<Subscriber> {
    const parameters = [...this.#session(clientId), '-t', filter, '-q', '2', '-F', format]
    return Promise.resolve(new MosquittoSubscriber(this.#start('mosquitto_sub', url, parameters)))
  }

  async dieWithWill(url: string, { topic, payload, qos, retain }: Sent): Promise<void> {
    const will = ['--will-topic', topic, '--will-payload', payload, '--will-qos', `${qos}`]
    const client = await this.#subscribe(url, [...will, ...(retain === true ? ['--will-retain'] : [])])
    await client.die()
  }

  /** mosquitto_sub says nothing of SUBACK. So it also subscribes to a retained message: the broker sends that after
   * SUBACK, and then all subscriptions of the packet are in force. */
  async #subscribe(url: string, parameters: readonly string[]): Promise<MosquittoSubscriber> {
    const marker = `marker/${randomUUID()}`
    await this.publish(url, { topic: marker, payload: 'subscribed', qos: 1, retain: true })
    const client = this.#start('mosquitto_sub', url, [...parameters, '-t', marker, '-F', format])
    await client.line(new RegExp(`^[012] 1 ${marker} `))
    return new MosquittoSubscriber(client)
  }

  #session(clientId: string): string[] {
    return ['-c', '-i', clientId, ...(this.#version === 5 ? ['-x', '3600'] : [])]
  }

  #start(file: string, url: string, parameters: readonly string[]): StartedProcess {
    const place = ['-h', '127.0.0.1', '-p', `${portOf(url)}`, '-V', versionOptions[this.#version]]
    const client = new StartedProcess(file, [...place, ...parameters])
    // Also when the test fails before it lets the client leave.
    onTestFinished(() => client.stop())
    return client
  }

  async #done(client: StartedProcess): Promise<void> {
    const { code } = await client.exited
    if (code !== 0) throw new Error(`exit code ${code}: ${client.stderr}`)
  }
}

class MosquittoSubscriber implements Subscriber {
  readonly #process: StartedProcess
  #read = 0

  constructor(process: StartedProcess) {
    this.#process = process
  }

  async next(): Promise<Received> {
    const [, qos, retain, topic = '', payload = ''] = lineForm.exec(await this.#process.lineAt(this.#read)) ?? []
    this.#read += 1
    if (topic.startsWith('marker/')) return this.next()
    return { topic, payload, qos: Number(qos) as QoS, retain: retain === '1' }
  }

  /** mosquitto_sub sends DISCONNECT when it is asked to end. */
  async leave(): Promise<void> {
    await this.#process.stop('SIGTERM')
  }

  async die(): Promise<void> {
    await this.#process.stop('SIGKILL')
  }
}
