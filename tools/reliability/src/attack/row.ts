import type { Broker, BrokerOptions } from '@x/broker'
import type { Attacker } from './attacker.ts'
import type { Peer } from './peer.ts'

/** One attack: what a client sends, and what it may cost. */
export interface Row {
  /** Selects it on the command line. */
  readonly name: string
  /** What is sent, as a reader of the table sees it. */
  readonly input: string
  /** What the broker has before the attack begins, made inside its process. */
  prepare?(broker: Broker): Promise<void>
  /** In place of defaults. */
  readonly options?: BrokerOptions
  /** - `program` (default): a program that embeds the broker
   * - `command`: `x-broker`, whose log is counted */
  readonly broker?: 'program' | 'command'
  /** Connects those who are there before the attack begins: what they cost is not counted. */
  gather?(attacker: Attacker): Promise<readonly Peer[]>
  /** Runs in a process of its own, and returns when the broker has dealt with everything or the time is over. */
  attack(attacker: Attacker, crowd: readonly Peer[]): Promise<void>
  /** Bytes that an option of the broker lets clients hold; a quarter of them is allowed on top, for the allocator and for garbage. `reason`:
   * why they are not what the option says. */
  readonly memory?: { readonly option: string; readonly bytes: number; readonly reason?: string }
  /** Something else that has a bound. */
  readonly also?: Also
}

export interface Also {
  readonly name: string
  readonly unit: string
  readonly most: number
  /** - `attacker`: what it has reported
   * - `log`: bytes of the command's log
   * - `counts`: the broker's retained messages when the attack is over */
  readonly seenBy: 'attacker' | 'log' | 'counts'
}

/** What every row is held to. */
export const bounds = {
  /** ms of the broker's CPU. */
  turn: 50,
  /** Bytes of resident memory. */
  memory: 67_108_864,
  /** ms of the broker's CPU. */
  probe: 50,
} as const

export const megabyte = 1_048_576

/** Bytes above rest that a row may take. */
export function memoryBound({ memory }: Row): number {
  return bounds.memory + (memory === undefined ? 0 : memory.bytes * 1.25)
}
