import { CommandRefusal } from '../command-request.ts'
import type { CommandFields } from '../command-request.ts'
import type { DynamicClient, DynamicDatabase, DynamicGroup } from './database.ts'
import { linkKinds, nameIn } from './fields.ts'
import type { LinkKind } from './fields.ts'

/** Whose rights a command has changed. Their connections are ended. */
export interface Affected {
  readonly usernames: Set<string>
  /** Those without user name. */
  anonymous: boolean
}

/** What commands work on. */
export interface CommandHost {
  readonly database: DynamicDatabase
  readonly affected: Affected
  /** Hashes a password, off the event loop. */
  readonly hash: (password: string) => Promise<string>
  /** Addresses of the connected clients of this name. */
  readonly addressesOf: (username: string) => readonly string[]
  /** To be called for each change. */
  readonly changed: () => void
}

/** @returns data of the response
 * @throws CommandRefusal */
export type DynamicCommand = (host: CommandHost, fields: CommandFields) => Promise<object | void> | object | void

/** What a command names, which has to be there.
 * @throws CommandRefusal `Client not found`, `Group not found`, `Role not found` */
export function found<Kind extends LinkKind>(
  database: DynamicDatabase,
  kind: Kind,
  fields: CommandFields,
): ReturnType<ItemsOf<Kind>['get']> & object {
  const { name, items, missing } = linkKinds[kind]
  const item = items(database).get(nameIn(fields, name))
  if (item === undefined) throw new CommandRefusal(missing)
  return item as ReturnType<ItemsOf<Kind>['get']> & object
}

type ItemsOf<Kind extends LinkKind> = {
  role: DynamicDatabase['roles']
  group: DynamicDatabase['groups']
  client: DynamicDatabase['clients']
}[Kind]

/** The members of a group, and clients without name if it is theirs. */
export function affectGroup({ database, affected }: CommandHost, group: DynamicGroup): void {
  for (const username of group.clients.keys()) affected.usernames.add(username)
  if (database.anonymousGroup === group.groupname) affected.anonymous = true
}

/** Everybody who has the role, by a group or without. */
export function affectRole(host: CommandHost, rolename: string): void {
  const { database, affected } = host
  const hasIt = ({ roles }: DynamicClient | DynamicGroup): boolean => roles.has(rolename)
  for (const client of database.clients.values()) if (hasIt(client)) affected.usernames.add(client.username)
  for (const group of database.groups.values()) if (hasIt(group)) affectGroup(host, group)
}
