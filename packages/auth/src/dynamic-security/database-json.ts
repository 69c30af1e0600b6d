import { aclTypes, byName, defaultAccessTypes, noPriority, orderedAcls, orderedLinks } from './database.ts'
import type { DynamicClient, DynamicDatabase, DynamicGroup, DynamicRole, Links } from './database.ts'

/** A client as commands show it. */
export function shownClient(client: DynamicClient): Record<string, unknown> {
  return {
    username: client.username,
    ...given('clientid', client.clientid),
    ...described(client),
    ...(client.disabled && { disabled: true }),
    roles: linkObjects('rolename', client.roles),
    groups: linkObjects('groupname', client.groups),
  }
}

/** A group as commands show it, and as the file has it. */
export function shownGroup(group: DynamicGroup): Record<string, unknown> {
  return {
    groupname: group.groupname,
    ...described(group),
    roles: linkObjects('rolename', group.roles),
    clients: linkObjects('username', group.clients),
  }
}

/** A role as commands show it, and as the file has it. */
export function shownRole(role: DynamicRole): Record<string, unknown> {
  const { rolename, allowwildcardsubs } = role
  const acls = aclTypes.flatMap(type => orderedAcls(role, type))
  return { rolename, ...described(role), allowwildcardsubs, acls }
}

/** A client as the file has it: its groups are said there, and its password here. */
function storedClient(client: DynamicClient): Record<string, unknown> {
  const { groups: _groups, ...shown } = shownClient(client)
  return Object.assign(shown, given('encoded_password', client.encodedPassword))
}

/** The file of Mosquitto's plugin. Groups have their clients, and clients have none of it. */
export function databaseJson(database: DynamicDatabase): string {
  const { defaultAccess, changeIndex, anonymousGroup } = database
  const file = {
    defaultACLAccess: Object.fromEntries(defaultAccessTypes.map(type => [type, defaultAccess[type]])),
    changeIndex,
    clients: sorted(database.clients).map(storedClient),
    groups: sorted(database.groups).map(shownGroup),
    roles: sorted(database.roles).map(shownRole),
    ...given('anonymousGroup', anonymousGroup),
  }
  return `${JSON.stringify(file, undefined, '\t')}\n`
}

/** By name. */
export function sorted<Item>(items: ReadonlyMap<string, Item>): Item[] {
  return [...items].toSorted(([a], [b]) => byName(a, b)).map(([, item]) => item)
}

function linkObjects(name: string, links: Links): object[] {
  return orderedLinks(links).map(([value, priority]) =>
    priority === noPriority ? { [name]: value } : { [name]: value, priority },
  )
}

function described({ textname, textdescription }: { textname?: string; textdescription?: string }): object {
  return { ...given('textname', textname), ...given('textdescription', textdescription) }
}

function given(name: string, value: string | undefined): object {
  return value === undefined ? {} : { [name]: value }
}
