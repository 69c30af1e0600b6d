import { BrokerError, toError } from './broker-error.ts'
import type { BrokerErrorCode } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** What the engine does by itself, and nobody waits for: the codes of its failures. */
export type StepCode = Extract<
  BrokerErrorCode,
  | 'STORE_FAILED'
  | 'EMITTER_FAILED'
  | 'SESSION_CLOSE_FAILED'
  | 'QUEUE_READ_FAILED'
  | 'ACKNOWLEDGE_FAILED'
  | 'COMPLETE_FAILED'
  | 'CLAIM_FAILED'
  | 'SWEEP_FAILED'
  | 'WILL_NOT_PUBLISHED'
  | 'WILL_CONFIRM_FAILED'
  | 'DELIVERY_FAILED'
  | 'ROUTE_FAILED'
  | 'ANNOUNCE_FAILED'
  | 'PRESENCE_FAILED'
  | 'DEADLINE_FAILED'
>

/** What did not work. */
const steps: Readonly<Record<StepCode, string>> = {
  STORE_FAILED: 'the store could not be opened or closed',
  EMITTER_FAILED: 'the emitter could not be opened or closed',
  SESSION_CLOSE_FAILED: 'the session could not be closed in the store',
  QUEUE_READ_FAILED: 'the queue of the session could not be read',
  ACKNOWLEDGE_FAILED: 'an acknowledgement could not be stored',
  COMPLETE_FAILED: 'a packet identifier could not be released in the store',
  CLAIM_FAILED: 'messages of a shared group could not be claimed',
  SWEEP_FAILED: 'what has fallen due could not be had from the store',
  WILL_NOT_PUBLISHED: 'a will could not be published',
  WILL_CONFIRM_FAILED: 'a will could not be confirmed to the store',
  DELIVERY_FAILED: 'a message of another broker could not be delivered',
  ROUTE_FAILED: 'other brokers could not be told what is subscribed here',
  ANNOUNCE_FAILED: 'other brokers could not be told who has connected',
  PRESENCE_FAILED: 'a message under $SYS could not be published',
  DEADLINE_FAILED: 'what was due could not be done',
}

/** The error of a step, with what it has met as its cause. */
export function stepError(code: StepCode, thrown: unknown): BrokerError {
  const cause = toError(thrown)
  return new BrokerError(code, {
    message: `${steps[code]}: ${cause.message}`,
    reasonCode: ReasonCode.unspecifiedError,
    cause,
  })
}
