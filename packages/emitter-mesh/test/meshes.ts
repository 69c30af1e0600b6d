import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { MeshEmitterOptions } from '../src/index.ts'
import { MeshedBroker } from './meshed-broker.ts'

/** A directory of the test's own. */
export function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'x-mesh-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** For listeners at TCP. */
export const secret = 'a secret of this mesh'

export const anyPort = { listen: '127.0.0.1:0', secret } as const

export async function opened(id: string, options: MeshEmitterOptions): Promise<MeshedBroker> {
  const broker = new MeshedBroker(id, options)
  await broker.emitter.open(broker)
  onTestFinished(async () => broker.emitter.close())
  return broker
}

/** A broker in a process of its own, with a route of `a`, and a member of the group `$share/g/b`. */
export interface OtherProcess {
  readonly child: ChildProcess
  /** Codes of what it has reported. */
  readonly codes: readonly string[]
  /** Publishes to `a` at QoS 1; settles when it is answered. */
  publish(text: string): Promise<void>
  signal(name: NodeJS.Signals): void
}

export async function otherProcess(id: string, options: MeshEmitterOptions): Promise<OtherProcess> {
  const program = fileURLToPath(new URL('meshed-process.ts', import.meta.url))
  const parameters = ['--import', 'tsx', '--conditions=@x/source', program, id, JSON.stringify(options)]
  const child = spawn(process.execPath, parameters, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const codes: string[] = []
  const answers = new EventEmitter()
  createInterface({ input: child.stdout }).on('line', line => {
    if (line.startsWith('! ')) codes.push(line.slice(2))
    else answers.emit('answer')
  })
  await once(answers, 'answer')
  return {
    child,
    codes,
    publish: async text => {
      const answered = once(answers, 'answer')
      child.stdin.write(`${text}\n`)
      await answered
    },
    signal: name => void child.kill(name),
  }
}
