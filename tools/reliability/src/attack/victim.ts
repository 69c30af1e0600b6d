import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { residentMemory, resetPeak } from '../measure/memory.ts'
import type { TurnReading } from '../measure/turn-meter.ts'
import type { Ports } from './peer.ts'
import type { Row } from './row.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const program = path('./broker-main.js')
const command = path('../../../../packages/broker/dist/command.js')
const preload = new URL('./meter-preload.js', import.meta.url).href
const execArgv = ['--expose-gc', '--import', preload]

/** The broker under attack, in a process of its own. */
export class Victim {
  readonly ports: Ports
  readonly #child: ChildProcess
  /** Bytes that it has written to its log. */
  logBytes = 0
  stderr = ''
  #restBytes = 0
  #restHeld = 0

  private constructor(child: ChildProcess, ports: Ports) {
    this.#child = child
    this.ports = ports
    child.stdout?.on('data', (chunk: Buffer) => {
      this.logBytes += chunk.length
    })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk
    })
  }

  static async start(row: Row): Promise<Victim> {
    if (row.broker === 'command') return Victim.#startCommand()
    const child = fork(program, [row.name], { execArgv, silent: true })
    const stderr: string[] = []
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => stderr.push(chunk))
    const heard = await Promise.race([once(child, 'message'), once(child, 'exit')])
    const [message] = heard as [{ ports: Ports } | number | null]
    if (typeof message !== 'object' || message === null) throw new Error(`the broker did not start: ${stderr.join('')}`)
    return new Victim(child, message.ports)
  }

  static async #startCommand(): Promise<Victim> {
    const parameters = [
      '--listen',
      'mqtt://127.0.0.1:0',
      '--listen',
      'ws://127.0.0.1:0/',
      '--sys-interval',
      '0',
      '--memory',
    ]
    const child = fork(command, parameters, { execArgv, silent: true })
    const ports: number[] = []
    let text = ''
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`the broker did not start: ${text}`)))
      child.stdout?.on('data', function listen(this: unknown, chunk: Buffer) {
        text += chunk.toString()
        ports.splice(0, ports.length, ...[...text.matchAll(/"url":"[^"]*:(\d+)/g)].map(([, port]) => Number(port)))
        if (ports.length < 2) return
        child.stdout?.removeAllListeners('data')
        resolve()
      })
    })
    const [tcp = 0, websocket = 0] = ports
    // No row attacks the command by TLS.
    return new Victim(child, { tcp, websocket, tls: 0 })
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the broker has no process')
    return pid
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What is measured from here on is the attack's. */
  async begin(): Promise<void> {
    const { held } = await this.#ask<{ held: number }>('begin', 'begun')
    this.#restHeld = held
    resetPeak(this.pid)
    this.#restBytes = residentMemory(this.pid).now
  }

  /** Most bytes of resident memory above rest. */
  get peakMemory(): number {
    return residentMemory(this.pid).peak - this.#restBytes
  }

  async turns(): Promise<TurnReading> {
    return this.#ask<TurnReading>('read', 'turns')
  }

  /** Bytes above rest that a garbage collection leaves. */
  async heldMemory(): Promise<number> {
    const { held } = await this.#ask<{ held: number }>('held', 'held')
    return held - this.#restHeld
  }

  async retainedMessages(): Promise<number> {
    const { retainedMessages } = await this.#ask<{ retainedMessages: number }>('counts', 'counts')
    return retainedMessages
  }

  /** Resolves when it does nothing any more but serve the probe, at most after 20 s. */
  async quiet(): Promise<void> {
    const wait = async (): Promise<number> => {
      const { cpu } = await this.turns()
      await new Promise<void>(resolve => void setTimeout(resolve, 250))
      return cpu
    }
    let before = await wait()
    for (let rounds = 0; rounds < 80 && this.isAlive; rounds++) {
      const now = await wait()
      // The probe's own share is below a fifth.
      if (now - before < 75) return
      before = now
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #ask<Answer>(question: string, kind: string): Promise<Answer> {
    if (!this.isAlive) throw new Error(`the broker has ended: ${this.stderr.slice(0, 2000)}`)
    const child = this.#child
    return new Promise<Answer>((resolve, reject) => {
      const hear = (message: { kind: string }): void => {
        if (message.kind !== kind) return
        child.off('exit', fail)
        child.off('message', hear)
        resolve(message as Answer)
      }
      const fail = (): void => reject(new Error(`the broker has ended: ${this.stderr.slice(0, 2000)}`))
      child.on('message', hear)
      child.once('exit', fail)
      child.send(question)
    })
  }
}
