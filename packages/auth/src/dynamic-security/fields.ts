import { TopicError, parseTopicFilter } from '@x/topic-trie'
import { CommandRefusal, fieldOf, isFields } from '../command-request.ts'
import type { CommandFields } from '../command-request.ts'
import { aclTypes, noPriority } from './database.ts'
import type { AclType, DynamicAcl, DynamicDatabase, Links } from './database.ts'

const greatestPriority = 100_000
const mostLevels = 201

/** What Mosquitto calls a field where it differs from its name. */
const shownNames: Readonly<Record<string, string>> = { clientid: 'client id' }

/** Undefined: it is not given.
 * @throws CommandRefusal `Invalid/missing NAME` */
export function optionalText(fields: CommandFields, name: string): string | undefined {
  const value = fieldOf(fields, name)
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new CommandRefusal(`Invalid/missing ${shownNames[name] ?? name}`)
  return value
}

/** @throws CommandRefusal `Invalid/missing NAME`, also for a text that is empty where it has to be one */
export function text(fields: CommandFields, name: string): string {
  const value = optionalText(fields, name)
  if (value === undefined) throw new CommandRefusal(`Invalid/missing ${shownNames[name] ?? name}`)
  return value
}

const titles = { username: 'Username', groupname: 'Group name', rolename: 'Role name' } as const

/** The name of a client, group or role.
 * @throws CommandRefusal */
export function nameIn(fields: CommandFields, name: keyof typeof titles): string {
  const value = text(fields, name)
  if (!isValidText(value)) throw new CommandRefusal(`${titles[name]} not valid UTF-8`)
  return value
}

/** The name of a client, group or role that is to be.
 * @throws CommandRefusal */
export function newNameIn(fields: CommandFields, name: keyof typeof titles): string {
  if (text(fields, name) === '') throw new CommandRefusal(`Empty ${name}`)
  return nameIn(fields, name)
}

/** The client identifier that a user is bound to; undefined: it is not given.
 * @throws CommandRefusal */
export function clientIdIn(fields: CommandFields): string | undefined {
  const value = optionalText(fields, 'clientid')
  if (value !== undefined && !isValidText(value)) throw new CommandRefusal('Client ID not valid UTF-8')
  return value
}

/** A lone surrogate has no UTF-8; control characters and non-characters Mosquitto does not take in names (MQTT 5.0 §1.5.4). */
export function isValidText(value: string): boolean {
  return !/[\p{Surrogate}\p{Control}\p{Noncharacter_Code_Point}]/u.test(value)
}

/** Reads a priority. */
export function priorityIn(fields: CommandFields, otherwise: number = noPriority): number {
  const value = fieldOf(fields, 'priority')
  if (typeof value !== 'number' || Number.isNaN(value)) return otherwise
  return Math.trunc(Math.min(Math.max(value, -greatestPriority), greatestPriority))
}

/** Undefined: it is not given. */
export function flagIn(fields: CommandFields, name: string): boolean | undefined {
  const value = fieldOf(fields, name)
  return typeof value === 'boolean' ? value : undefined
}

/** The objects of a list; undefined: there is no such list. */
export function objectsIn(fields: CommandFields, name: string): CommandFields[] | undefined {
  const value = fieldOf(fields, name)
  return Array.isArray(value) ? (value as unknown[]).filter(one => isFields(one)) : undefined
}

/** Links to roles, groups or clients that are there; undefined: no list is given.
 * @throws CommandRefusal */
export function linksIn(fields: CommandFields, kind: LinkKind, database: DynamicDatabase): Links | undefined {
  const { list, name, items, missing } = linkKinds[kind]
  const given = fieldOf(fields, list)
  if (given === undefined || given === null) return undefined
  const invalid = `'${list}' not an array or missing/invalid ${name}`
  const objects = objectsIn(fields, list)
  if (objects === undefined) throw new CommandRefusal(invalid)
  const links: Links = new Map()
  for (const object of objects) {
    const value = fieldOf(object, name)
    if (typeof value !== 'string') throw new CommandRefusal(invalid)
    if (!items(database).has(value)) throw new CommandRefusal(missing)
    if (!links.has(value)) links.set(value, priorityIn(object))
  }
  return links
}

/** What users and groups are linked to. */
export type LinkKind = 'role' | 'group' | 'client'

/** How each kind of link is written. */
export const linkKinds: Readonly<
  Record<
    LinkKind,
    {
      readonly list: string
      readonly name: keyof typeof titles
      readonly items: (database: DynamicDatabase) => ReadonlyMap<string, unknown>
      readonly missing: string
    }
  >
> = {
  role: { list: 'roles', name: 'rolename', items: ({ roles }) => roles, missing: 'Role not found' },
  group: { list: 'groups', name: 'groupname', items: ({ groups }) => groups, missing: 'Group not found' },
  client: { list: 'clients', name: 'username', items: ({ clients }) => clients, missing: 'Client not found' },
}

/** @throws CommandRefusal */
export function aclTypeIn(fields: CommandFields): AclType {
  const given = text(fields, 'acltype')
  const found = aclTypes.find(type => type.toLowerCase() === given.toLowerCase())
  if (found === undefined) throw new CommandRefusal('Unknown acltype')
  return found
}

/** An entry of a role.
 * @throws CommandRefusal */
export function aclIn(fields: CommandFields): DynamicAcl {
  const acltype = aclTypeIn(fields)
  const topic = text(fields, 'topic')
  if (!isValidText(topic)) throw new CommandRefusal('Topic not valid UTF-8')
  try {
    parseTopicFilter(topic, { maximumLevels: mostLevels })
  } catch (error) {
    if (!(error instanceof TopicError)) throw error
    throw new CommandRefusal('Invalid ACL topic', { cause: error })
  }
  return { acltype, topic, priority: priorityIn(fields, 0), allow: flagIn(fields, 'allow') ?? false }
}

/** Entries of a role; of several for one type and topic the first counts.
 * @throws CommandRefusal */
export function aclsIn(fields: CommandFields): DynamicAcl[] | undefined {
  const objects = objectsIn(fields, 'acls')
  if (objects === undefined) return undefined
  const acls: DynamicAcl[] = []
  for (const acl of objects.map(aclIn)) if (!acls.some(one => isSameAcl(one, acl))) acls.push(acl)
  return acls
}

/** Whether two rights are about the same. */
export function isSameAcl(a: Pick<DynamicAcl, 'acltype' | 'topic'>, b: Pick<DynamicAcl, 'acltype' | 'topic'>): boolean {
  return a.acltype === b.acltype && a.topic === b.topic
}
