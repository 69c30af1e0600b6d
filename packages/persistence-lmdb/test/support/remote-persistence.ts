import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PersistenceError } from '@x/contract'
import type {
  Drop,
  Due,
  Message,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceErrorCode,
  PersistenceHost,
  PersistenceSupports,
  QueueEntry,
  SessionOwner,
  Will,
} from '@x/contract'

export interface Call {
  readonly id: number
  readonly method: string
  readonly values: readonly unknown[]
  /** The caller's time. */
  readonly now: number
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { name: string; message: string; code?: string | undefined } }
  | { readonly told: 'groupReady' | 'dropped' | 'deliver' | 'fenced'; readonly values: readonly unknown[] }

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** A store in a process of its own: another broker on the same directory, which can be killed. */
export class RemotePersistence implements Persistence {
  readonly supports: PersistenceSupports = {
    durable: true,
    shared: true,
    sharedSubscriptions: true,
    storeLimits: true,
  }

  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #owners = new Map<string, SessionOwner>()
  #host: PersistenceHost | undefined
  #calls = 0

  constructor(directory: string, durability = '', environment: Readonly<Record<string, string>> = {}) {
    this.#process = fork(fileURLToPath(new URL('store-process.ts', import.meta.url)), [directory, durability], {
      execArgv: ['--import', 'tsx', '--conditions=@x/source'],
      serialization: 'advanced',
      env: { ...process.env, ...environment },
    })
    this.#process.on('message', (reply: Reply) => this.#take(reply))
    this.#process.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process has ended'))
    })
  }

  /** Ends the process as `kill -9` does. */
  async kill(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#process.once('exit', () => resolve())
      this.#process.kill('SIGKILL')
    })
  }

  /** Holds the process at the instruction at which it is. */
  hold(): void {
    this.#process.kill('SIGSTOP')
  }

  goOn(): void {
    this.#process.kill('SIGCONT')
  }

  open = async (host: PersistenceHost): Promise<void> => {
    this.#host = host
    await this.#call('open', { brokerId: host.brokerId, limits: host.limits })
  }

  close = async (): Promise<void> => {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    await this.#call('close')
    this.#process.disconnect()
  }

  openSession = async ({ owner, ...request }: OpenSessionRequest): Promise<OpenedSession> => {
    this.#owners.set(request.clientId, owner)
    const room = 'room' in owner ? owner.room : Infinity
    return this.#call('openSession', { ...request, room })
  }

  confirmWill = async (will: Will): Promise<void> => this.#call('confirmWill', (will as Will & { place: number }).place)
  publishWill = async (will: Will, message: Message): Promise<number> =>
    this.#call('publishWill', (will as Will & { place: number }).place, message)
  claimDue = async (limit: number): Promise<readonly Due[]> => this.#call('claimDue', limit)
  closeSession: Persistence['closeSession'] = async (...values) => this.#call('closeSession', ...values)
  subscribe: Persistence['subscribe'] = async (...values) => this.#call('subscribe', ...values)
  unsubscribe: Persistence['unsubscribe'] = async (...values) => this.#call('unsubscribe', ...values)
  publish: Persistence['publish'] = async (...values) => this.#call('publish', ...values)
  enqueue: Persistence['enqueue'] = async (...values) => this.#call('enqueue', ...values)
  enqueueRetained: NonNullable<Persistence['enqueueRetained']> = async (...values) =>
    this.#call('enqueueRetained', ...values)
  entry: Persistence['entry'] = async (...values) => this.#call('entry', ...values)
  read: Persistence['read'] = async (...values) => this.#call('read', ...values)
  acknowledge: Persistence['acknowledge'] = async (...values) => this.#call('acknowledge', ...values)
  release: Persistence['release'] = async (...values) => this.#call('release', ...values)
  complete: Persistence['complete'] = async (...values) => this.#call('complete', ...values)
  claim: Persistence['claim'] = async (...values) => this.#call('claim', ...values)
  retained: Persistence['retained'] = async (...values) => this.#call('retained', ...values)
  counts: Persistence['counts'] = async () => this.#call('counts')

  #call<T>(method: string, ...values: unknown[]): Promise<T> {
    this.#calls += 1
    const id = this.#calls
    const call: Call = { id, method, values, now: this.#host?.clock.now() ?? Date.now() }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#process.send(call, error => {
        if (error !== null) reject(error)
      })
    })
  }

  #take(reply: Reply): void {
    if ('told' in reply) {
      this.#hear(reply.told, reply.values)
      return
    }
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('error' in reply) {
      const { message, code } = reply.error
      waiting?.reject(new PersistenceError(code as PersistenceErrorCode, { message }))
    } else waiting?.resolve(asBuffers(reply.value) as never)
  }

  #hear(told: string, values: readonly unknown[]): void {
    if (told === 'groupReady') this.#host?.groupReady(values[0] as string, values[1] as string | undefined)
    else if (told === 'dropped') this.#host?.dropped(values[0] as Drop)
    else if (told === 'fenced') this.#owners.get(values[0] as string)?.fenced()
    else this.#owners.get(values[0] as string)?.deliver(asBuffers(values[1]) as QueueEntry)
  }
}

/** Bytes come as Uint8Array, where messages have a Buffer. */
function asBuffers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(one => asBuffers(one))
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asBuffers(one)]))
}
