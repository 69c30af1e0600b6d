/** A whole trial as plain data, so that it can be reduced, kept in a file, and run again. */
export interface Case {
  /** Answers of the store come later, as behind a network. */
  readonly slowStore: boolean
  /** PROXY headers are looked for on every connection. */
  readonly trustProxy: boolean
  /** Over sockets of the operating system in place of streams in memory. */
  readonly sockets: boolean
  /** It is one of several brokers. */
  readonly cluster: boolean
  /** In place of the {@link usualOptions}. */
  readonly options: Readonly<Record<string, unknown>>
  /** By place: how the program, the store or the log behaves there. A place that is not named does what it should. */
  readonly faults: Readonly<Record<string, Fault>>
  readonly conversations: readonly Conversation[]
}

/** How calls of one place behave, one after the other; after the last one it begins again. */
export interface Fault {
  /** The function declares the callback parameter. */
  readonly callback: boolean
  readonly styles: readonly Style[]
}

/** - `ok`: does what it should, at once
 * - `late`, `lateReject`: some turns later
 * - `never`: never answers
 * - `falsy…`: with a value that is taken for false
 * - `nonsense`: answers something of no known form
 * - `deny`: answers no, in a proper form
 * - `mangle`: answers something of the known form with wrong values in it
 * - `twice`, `thenThrow`: answers, and then once more, or throws
 * - `thenable`: what it returns is no promise but has a `then` that behaves badly
 * - `publishes`, `closes`: calls back into the broker, publishing or closing the client */
export const styles = [
  'ok',
  'throw',
  'throwFalsy',
  'reject',
  'rejectFalsy',
  'falsy',
  'nonsense',
  'deny',
  'mangle',
  'late',
  'lateReject',
  'never',
  'twice',
  'thenThrow',
  'thenable',
  'publishes',
  'closes',
] as const

export type Style = (typeof styles)[number]

/** What one peer, or the program itself, does. */
export interface Conversation {
  readonly way: 'stream' | 'websocket' | 'program'
  /** How it answers what it is sent. */
  readonly manner: Manner
  readonly steps: readonly Step[]
}

/** - `polite`: acknowledges as it should
 * - `silent`: never
 * - `refusing`: with error codes
 * - `confused`: with the wrong packet, or the wrong identifier, or twice */
export const manners = ['polite', 'silent', 'refusing', 'confused'] as const
export type Manner = (typeof manners)[number]

export type Step =
  /** Bytes in hexadecimal; `cuts` are the lengths of the chunks they arrive in, one in each turn (the rest is the last one). */
  | { readonly do: 'send'; readonly hex: string; readonly cuts?: readonly number[] }
  /** Turns of the event loop. */
  | { readonly do: 'wait'; readonly turns: number }
  /** The broker's clock goes on. */
  | { readonly do: 'advance'; readonly milliseconds: number }
  /** Takes nothing any more, or takes everything again. */
  | { readonly do: 'freeze' }
  | { readonly do: 'thaw' }
  /** The peer ends its side; is gone; its stream fails. */
  | { readonly do: 'end' }
  | { readonly do: 'destroy' }
  | { readonly do: 'fail' }
  | {
      readonly do: 'call'
      readonly method: ProgramCall
      readonly client: string
      readonly topic: string
      readonly qos: 0 | 1 | 2
    }

export const programCalls = [
  'publish',
  'publishRetained',
  'subscribe',
  'unsubscribe',
  'clientPublish',
  'clientSubscribe',
  'clientUnsubscribe',
  'clientClose',
  'counts',
  'mqOn',
  'mqEmit',
  'remotePublish',
  'remoteTakeOver',
  'remotePresence',
] as const
export type ProgramCall = (typeof programCalls)[number]

/** What a check has found. */
export interface Finding {
  readonly check: string
  readonly message: string
}

/** Of the innocent client. Nothing that is faulty is asked about it. */
export const probeId = 'probe'
