import { createBroker } from '@x/broker'
import type { Broker } from '@x/broker'
import { ManualClock } from '@x/contract/testing'
import { MemoryPersistence } from '@x/persistence-memory'
import type { TurnMeter } from '../measure/turn-meter.ts'
import { Behaviour } from './behaviour.ts'
import type { Answers } from './behaviour.ts'
import { probeId } from './case.ts'
import type { Case, Finding } from './case.ts'
import { Conversing } from './conversing.ts'
import { FaultyEmitter } from './faulty-emitter.ts'
import { faultyHooks, faultyParts, listenFaultily, subscribeFaultily } from './faulty-program.ts'
import { faultyStore } from './faulty-store.ts'
import type { Incidents } from './incidents.ts'
import { MemoryLine, SocketLine } from './line.ts'
import { usualOptions } from './options.ts'
import { Probe } from './probe.ts'

/** ms of CPU that one turn may take, the fuzzer's own work included. */
const turnBudget = 150

/** Everything that one case needs: a broker of its own on a clock that stands still, and a program that misbehaves. */
export class Trial {
  readonly #trial: Case
  readonly #clock = new ManualClock()
  readonly #incidents: Incidents
  readonly #behaviour: Behaviour
  readonly #store = new MemoryPersistence()
  readonly #seen = { clientIds: new Set<string>(), retainedTopics: new Set<string>() }
  readonly #findings: Finding[] = []
  readonly #meter: TurnMeter
  readonly #emitter: FaultyEmitter | undefined
  /** Tasks and the turn they wait for. */
  readonly #later: { readonly turn: number; readonly task: () => void }[] = []
  #turns = 0
  /** Messages that hooks and listeners have published. */
  #backs = 0

  constructor(trial: Case, { incidents, meter }: { incidents: Incidents; meter: TurnMeter }) {
    this.#trial = trial
    this.#incidents = incidents
    this.#meter = meter
    this.#behaviour = new Behaviour(trial.faults, task => void this.#later.push({ turn: this.#turns + 2, task }))
    this.#emitter = trial.cluster ? new FaultyEmitter(this.#behaviour) : undefined
  }

  /** What is wrong; empty: nothing. */
  async run(): Promise<readonly Finding[]> {
    this.#meter.reset()
    this.#behaviour.enabled = this.#hasFaultyPlugin
    const broker = this.#createBroker()
    const readiness = this.#settled(broker.ready)
    await this.#until(() => readiness.isSettled, 20)
    this.#behaviour.enabled = false
    if (readiness.failed || !readiness.isSettled) await this.#tryUnopened(broker)
    else await this.#tryOpened(broker)
    await this.#close(broker)
    await this.#pass(4)
    const { longestTurn } = this.#meter.read()
    if (longestTurn > turnBudget) this.#find('turn', `a turn took ${Math.round(longestTurn)} ms`)
    this.#findings.push(...this.#incidents.take())
    return this.#findings
  }

  get #hasFaultyPlugin(): boolean {
    return this.#behaviour.has('plugin.attach')
  }

  #createBroker(): Broker {
    const back = (values: readonly unknown[]): Partial<Answers> => this.#callBack(broker, values)
    const persistence = faultyStore({
      inner: this.#store,
      behaviour: this.#behaviour,
      seen: this.#seen,
      later: this.#trial.slowStore ? task => void this.#later.push({ turn: this.#turns + 1, task }) : undefined,
    })
    const broker: Broker = createBroker({
      persistence,
      clock: this.#clock,
      ...usualOptions,
      ...this.#trial.options,
      ...(this.#emitter !== undefined && { emitter: this.#emitter }),
      ...(this.#trial.trustProxy && { trustProxy: true }),
      ...faultyHooks(this.#behaviour, back),
      ...faultyParts(this.#behaviour),
    })
    broker.on('error', () => undefined)
    listenFaultily(broker, this.#behaviour, back)
    return broker
  }

  /** What a hook or a listener can do to the broker that calls it. */
  #callBack(broker: Broker, values: readonly unknown[]): Partial<Answers> {
    return {
      publish: () => {
        // A program that answers each message with another one keeps itself busy for ever.
        if (this.#backs++ < 30) ignore(broker.publish({ topic: 'f/back', payload: 'b', qos: 1 }))
      },
      close: () => {
        const [subject] = values
        if (typeof subject !== 'object' || subject === null) return
        if ('close' in subject) (subject as { close(): void }).close()
        else if ('queue' in subject) ignore(broker.client((subject as { queue: string }).queue)?.close())
      },
    }
  }

  async #tryOpened(broker: Broker): Promise<void> {
    const subscribed = subscribeFaultily(broker, this.#behaviour, values => this.#callBack(broker, values))
    if (!(await this.#settles(subscribed, 'subscribe()'))) return
    const probe = new Probe()
    probe.connect(line => broker.handle(line.stream))
    if (!(await this.#until(() => probe.isConnected, 60))) return this.#find('probe', 'it was not let in')
    this.#behaviour.enabled = true
    const conversing = await this.#converse(broker)
    await this.#expectService(probe, 'while the others talk')
    conversing.leave()
    await this.#advance(16, 500)
    this.#behaviour.enabled = false
    await this.#advance(20, 2000)
    this.#findings.push(...conversing.findings)
    await this.#expectService(probe, 'after the others have left')
    await this.#expectNothingLeft(broker)
    probe.leave()
    await this.#pass(4)
    if (broker.connectedClients !== 0)
      this.#find('counters', `connectedClients is ${broker.connectedClients} at the end`)
  }

  /** A broker that could not be opened refuses everyone. */
  async #tryUnopened(broker: Broker): Promise<void> {
    const line = new MemoryLine(() => undefined)
    broker.handle(line.stream)
    if (this.#behaviour.has('plugin.attach')) await this.#advance(16, 500)
    // A plugin that never answers keeps the broker from opening, and connections wait for that.
    line.destroy()
  }

  async #converse(broker: Broker): Promise<Conversing> {
    const ports = this.#trial.sockets ? await this.#listen(broker) : undefined
    const conversing = new Conversing(this.#trial.conversations, {
      broker,
      emitter: this.#emitter,
      open: (way, take) => {
        if (ports !== undefined) return new SocketLine(ports[way], way, take)
        const line = new MemoryLine(take)
        broker.handle(line.stream)
        return line
      },
      advance: milliseconds => this.#clock.advance(milliseconds),
      act: () => this.#behaviour.act('subscriber.f/a', { ok: () => undefined }),
    })
    while (conversing.step()) await this.#turn()
    await this.#pass(10)
    return conversing
  }

  async #listen(broker: Broker): Promise<{ stream: number; websocket: number }> {
    const host = '127.0.0.1'
    const [stream, websocket] = await Promise.all([
      broker.listen({ port: 0, host }),
      broker.listen({ port: 0, host, websocket: true }),
    ])
    return { stream: stream.port ?? 0, websocket: websocket.port ?? 0 }
  }

  async #expectService(probe: Probe, when: string): Promise<void> {
    const isServed = probe.ask()
    // Somebody who takes nothing may pause publishers for `publisherPause`.
    for (let round = 0; round < 8 && !isServed(); round++) {
      await this.#until(isServed, 40)
      if (!isServed()) this.#clock.advance(500)
    }
    if (!isServed()) this.#find('probe', `it is not served ${when}: ${probe.describe()}`)
  }

  async #expectNothingLeft(broker: Broker): Promise<void> {
    const names = Object.keys(broker.clients)
    if (broker.connectedClients !== 1 || names.length !== 1) {
      this.#find('counters', `connectedClients is ${broker.connectedClients}, clients are [${names.join(', ')}]`)
    }
    const isStoreFaulty = Object.keys(this.#trial.faults).some(place => place.startsWith('store.'))
    if (isStoreFaulty) this.#forgetSessions()
    this.#forgetRetained()
    // What has just expired is no longer read, and freed soon.
    await this.#advance(4, 2000)
    const counting = broker.counts()
    if (!(await this.#settles(counting, 'counts()'))) return
    const counts = await counting
    const expected = {
      sessions: 0,
      queuedMessages: 0,
      retainedMessages: 0,
      subscriptions: 1,
      sharedSubscriptions: 0,
      connectedClients: 1,
      disconnectedSessions: 0,
    }
    for (const [name, value] of Object.entries(expected)) {
      const found = (counts as unknown as Record<string, number>)[name]
      if (found !== value) this.#find('counters', `${name} is ${found}, it should be ${value}`)
    }
  }

  /** Sessions that a failing store could not end. */
  #forgetSessions(): void {
    const owner = { deliver: () => false, fenced: () => undefined }
    for (const clientId of this.#seen.clientIds) {
      if (clientId === probeId) continue
      const request = { clientId, cleanStart: true, sessionExpiryInterval: 0, will: undefined, owner }
      const { handle } = this.#store.openSession(request)
      this.#store.closeSession(handle, { sessionExpiryInterval: 0, will: 'discard', sentThrough: 0 })
    }
  }

  #forgetRetained(): void {
    for (const topic of this.#seen.retainedTopics) {
      for (const message of this.#store.retained(topic)) {
        if (message !== undefined) this.#store.publish({ ...message, payload: Buffer.alloc(0), retain: true })
      }
    }
  }

  async #close(broker: Broker): Promise<void> {
    this.#behaviour.enabled = this.#behaviour.has('plugin.detach')
    await this.#settles(broker.close(), 'close()')
  }

  /** False, and found: it does not, however much time passes. */
  async #settles(promise: Promise<unknown>, what: string): Promise<boolean> {
    const state = this.#settled(promise)
    for (let round = 0; round < 10 && !state.isSettled; round++) {
      await this.#until(() => state.isSettled, 20)
      if (!state.isSettled) this.#clock.advance(500)
    }
    if (!state.isSettled) this.#find('settles', `${what} has not settled`)
    return state.isSettled && !state.failed
  }

  #settled(promise: Promise<unknown>): { isSettled: boolean; failed: boolean } {
    const state = { isSettled: false, failed: false }
    promise.then(
      () => (state.isSettled = true),
      () => Object.assign(state, { isSettled: true, failed: true }),
    )
    return state
  }

  async #advance(times: number, milliseconds: number): Promise<void> {
    for (let round = 0; round < times; round++) {
      this.#clock.advance(milliseconds)
      await this.#pass(2)
    }
  }

  async #pass(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await this.#turn()
  }

  /** False: it has not come in so many turns. */
  async #until(holds: () => boolean, turns: number): Promise<boolean> {
    for (let turn = 0; turn < turns && !holds(); turn++) await this.#turn()
    return holds()
  }

  async #turn(): Promise<void> {
    // What the operating system carries needs time of its own.
    await new Promise<void>(resolve => void (this.#trial.sockets ? setTimeout(resolve, 1) : setImmediate(resolve)))
    this.#turns += 1
    while (this.#later[0] !== undefined && this.#later[0].turn <= this.#turns) this.#later.shift()?.task()
  }

  readonly #find = (check: string, message: string): void => void this.#findings.push({ check, message })
}

function ignore(promise: unknown): void {
  if (promise instanceof Promise) promise.catch(() => undefined)
}
