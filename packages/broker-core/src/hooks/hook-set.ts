import { EventEmitter } from 'node:events'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { ProgramBroker } from './client.ts'
import { defaultHooks } from './default-hooks.ts'
import type { BrokerEvents } from './events.ts'
import type { HookCalls } from './hook-call.ts'
import { ProgramFaults } from './program-faults.ts'
import type {
  AuthenticateEnhancedHook,
  AuthenticateHook,
  AuthorizeForwardHook,
  AuthorizePublishHook,
  AuthorizeSubscribeHook,
  DecodeProtocolHook,
  HookCallback,
  HookOptions,
  NormalisedHooks,
  PreConnectHook,
  PublishedHook,
} from './hooks.ts'
import { after } from '../ground/maybe-promise.ts'
import { normaliseHook } from './normalised-hook.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** Parameters of each hook, the callback not counted. */
const hookParameters = {
  decodeProtocol: 2,
  preConnect: 2,
  authenticate: 3,
  authenticateEnhanced: 2,
  authorizePublish: 2,
  authorizeSubscribe: 2,
  authorizeForward: 2,
  published: 2,
} as const satisfies Record<keyof HookOptions, number>

/** An emitter of broker events whose hooks can be set, changed and removed at any time. They are normalised when they are set, not when
 * they are called. */
export abstract class HookSet extends EventEmitter<BrokerEvents> {
  readonly #set: HookOptions = {}
  /** Reports what the program's code throws. */
  protected readonly programFaults: ProgramFaults = new ProgramFaults(this)
  /** Whether somebody listens to the event `publish`. */
  publishObserved = false
  /** Whether somebody listens to the event `ack`. Asking `listenerCount` for each acknowledgement costs a fiftieth of its message. */
  ackObserved = false
  readonly #listenerAdded = (name: string | symbol): void => {
    if (name === 'publish') this.#observe(true)
    else if (name === 'ack') this.ackObserved = true
  }
  readonly #listenerRemoved = (name: string | symbol): void => {
    if (name === 'publish') this.#observe(this.listenerCount('publish') > 0)
    else if (name === 'ack') this.ackObserved = this.listenerCount('ack') > 0
  }

  constructor() {
    super()
    this.#watchListeners()
  }

  /** Calls all listeners. What one throws or rejects becomes an `error` event (`LISTENER_FAILED`). An `error` without a listener becomes
   * a process warning, once for each code. */
  override emit<Name>(
    name: Name | keyof BrokerEvents,
    ...values: Name extends keyof BrokerEvents ? BrokerEvents[Name] : never
  ): boolean {
    const isHeard = this.programFaults.tell(this, name as string | symbol, values)
    if (!isHeard && name === 'error') this.programFaults.warn(toError(values[0]))
    return isHeard
  }

  override removeAllListeners(name?: keyof BrokerEvents): this {
    if (name === undefined) super.removeAllListeners()
    else super.removeAllListeners(name)
    this.#watchListeners()
    this.#observe(this.listenerCount('publish') > 0)
    this.ackObserved = this.listenerCount('ack') > 0
    return this
  }

  /** The hooks in the form that the engine calls. */
  protected abstract get normalisedHooks(): NormalisedHooks
  /** The calls of hooks that have not ended. */
  protected abstract get hookCalls(): HookCalls
  /** A hook, or the interest in messages, has changed. */
  protected abstract hooksChanged(): void

  get decodeProtocol(): DecodeProtocolHook | null {
    return this.#set.decodeProtocol ?? null
  }
  set decodeProtocol(hook: DecodeProtocolHook | null | undefined) {
    this.#setHook('decodeProtocol', hook)
  }

  get preConnect(): PreConnectHook {
    return this.#set.preConnect ?? defaultHooks.preConnect
  }
  set preConnect(hook: PreConnectHook | null | undefined) {
    this.#setHook('preConnect', hook)
  }

  get authenticate(): AuthenticateHook {
    return this.#set.authenticate ?? defaultHooks.authenticate
  }
  set authenticate(hook: AuthenticateHook | null | undefined) {
    this.#setHook('authenticate', hook)
  }

  get authenticateEnhanced(): AuthenticateEnhancedHook | null {
    return this.#set.authenticateEnhanced ?? null
  }
  set authenticateEnhanced(hook: AuthenticateEnhancedHook | null | undefined) {
    this.#setHook('authenticateEnhanced', hook)
  }

  get authorizePublish(): AuthorizePublishHook {
    return this.#set.authorizePublish ?? defaultHooks.authorizePublish
  }
  set authorizePublish(hook: AuthorizePublishHook | null | undefined) {
    this.#setHook('authorizePublish', hook)
  }

  get authorizeSubscribe(): AuthorizeSubscribeHook {
    return this.#set.authorizeSubscribe ?? defaultHooks.authorizeSubscribe
  }
  set authorizeSubscribe(hook: AuthorizeSubscribeHook | null | undefined) {
    this.#setHook('authorizeSubscribe', hook)
  }

  get authorizeForward(): AuthorizeForwardHook {
    return this.#set.authorizeForward ?? defaultHooks.authorizeForward
  }
  set authorizeForward(hook: AuthorizeForwardHook | null | undefined) {
    this.#setHook('authorizeForward', hook)
  }

  get published(): PublishedHook {
    return this.#set.published ?? defaultHooks.published
  }
  set published(hook: PublishedHook | null | undefined) {
    this.#setHook('published', hook)
  }

  /** Sets all hooks that the options have. */
  protected setHooks(options: HookOptions): void {
    for (const name of Object.keys(hookParameters) as (keyof HookOptions)[]) {
      if (options[name] !== undefined) this.#setHook(name, options[name])
    }
  }

  #setHook<Name extends keyof HookOptions>(name: Name, hook: HookOptions[Name]): void {
    if (hook !== null && hook !== undefined && typeof hook !== 'function') {
      throw new BrokerError('OPTION_INVALID', {
        message: `hook ${name} is a ${typeof hook}, it must be a function`,
        reasonCode: ReasonCode.implementationSpecificError,
      })
    }
    const before = this.#set[name]
    this.#set[name] = hook
    const hooks = this.normalisedHooks
    if (hook === null || hook === undefined) delete hooks[name]
    else {
      // The only class that extends this one is Broker.
      const broker = this as unknown as ProgramBroker
      const call = name === 'preConnect' ? withPacketOrCallback(hook as PreConnectHook) : hook
      const raw = { name, call, parameters: hookParameters[name], before }
      hooks[name] = normaliseHook(raw, broker, this.hookCalls) as NonNullable<NormalisedHooks[Name]>
    }
    this.hooksChanged()
  }

  /** Adds its own listeners, unless they are there. */
  #watchListeners(): void {
    if (!this.listeners('newListener').includes(this.#listenerAdded)) this.on('newListener', this.#listenerAdded)
    if (!this.listeners('removeListener').includes(this.#listenerRemoved))
      this.on('removeListener', this.#listenerRemoved)
  }

  #observe(observed: boolean): void {
    this.publishObserved = observed
    this.hooksChanged()
  }
}

type UnknownFunction = (this: ProgramBroker, ...values: unknown[]) => unknown

/** `preConnect` used to be `(client, done)` and is now `(client, packet, done)`. A function of two parameters may be either, so its
 * second argument serves as both: the packet, which can also be called. */
function withPacketOrCallback(hook: PreConnectHook): UnknownFunction {
  const call = hook as UnknownFunction
  if (call.length !== 2) return call
  return function preConnect(this: ProgramBroker, client: unknown, packet: unknown, done: unknown): unknown {
    const finish = done as HookCallback<unknown>
    const callable = new Proxy(finish, {
      get: (_finish, name) => Reflect.get(packet as object, name),
      set: (_finish, name, value) => Reflect.set(packet as object, name, value),
      has: (_finish, name) => Reflect.has(packet as object, name),
    })
    const settled = (result: unknown): void => {
      if (result !== undefined) finish(null, result)
    }
    return after(call.call(this, client, callable), settled)
  }
}
