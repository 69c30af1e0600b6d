import type { MaybePromise } from '@x/contract'
import type { Client } from './client.ts'

/** Executes what clients publish on one topic below `$CONTROL/`. */
export interface ControlEndpoint {
  /** Called after all permissions; the publisher is acknowledged when it is done. The payload is only valid until it returns.
   *
   * Returns the response, which is published on the topic with `/response` behind it; undefined: none. What it throws or rejects with
   * becomes a `clientError`. */
  execute(client: Client, payload: Buffer): MaybePromise<string | undefined>
}

/** By topic. */
export type ControlEndpoints = ReadonlyMap<string, ControlEndpoint>

const prefix = '$CONTROL/'

/** Whether a topic is that of a command. */
export function isControlTopic(topic: string): boolean {
  return topic.charCodeAt(0) === 0x24 && topic.startsWith(prefix)
}
