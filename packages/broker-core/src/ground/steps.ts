/** What the engine does by itself, and nobody waits for, by the code of its failure: what did not work. */
export const steps = {
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
} as const

/** The code of a step that failed and that nobody waits for. */
export type StepCode = keyof typeof steps
