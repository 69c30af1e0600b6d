/** What a key, or a user, may do; each of them what those before may:
 * - `viewer`: look at everything, payloads included
 * - `operator`: publish, subscribe, close clients, end sessions, clear queues and retained messages, trace
 * - `admin`: read the configuration again, change the log level */
export const roles = ['viewer', 'operator', 'admin'] as const
/** One of them. */
export type Role = (typeof roles)[number]

/** Who sends a request. */
export interface Principal {
  /** Name of the key, or the user. */
  readonly name: string
  readonly role: Role
}

/** Whether somebody may do what needs a role. */
export function isAllowed({ role }: Principal, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed)
}
