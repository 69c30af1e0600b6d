/** What an entry of a role is about. */
export const aclTypes = [
  'publishClientSend',
  'publishClientReceive',
  'subscribeLiteral',
  'subscribePattern',
  'unsubscribeLiteral',
  'unsubscribePattern',
] as const
/** What a right of a role is about. */
export type AclType = (typeof aclTypes)[number]

/** What is decided where no role says anything. */
export const defaultAccessTypes = ['publishClientSend', 'publishClientReceive', 'subscribe', 'unsubscribe'] as const
/** A kind of access that is decided so. */
export type DefaultAccessType = (typeof defaultAccessTypes)[number]

/** The priority of a link that was given none. */
export const noPriority = -1

/** Names with priorities; higher ones come first. */
export type Links = Map<string, number>

interface Described {
  textname?: string
  textdescription?: string
}

/** A right of a role. */
export interface DynamicAcl {
  readonly acltype: AclType
  readonly topic: string
  readonly priority: number
  readonly allow: boolean
}

/** A role: rights under one name. */
export interface DynamicRole extends Described {
  readonly rolename: string
  allowwildcardsubs: boolean
  /** In the order in which they were added. At most one for each type and topic. */
  acls: DynamicAcl[]
}

/** A user, with password, roles and groups. */
export interface DynamicClient extends Described {
  readonly username: string
  /** As a password file has it; undefined: it can't log in. */
  encodedPassword?: string
  /** The only identifier it may have. */
  clientid?: string
  disabled: boolean
  roles: Links
  /** The other side of `DynamicGroup.clients`. */
  readonly groups: Links
}

/** A group of users, with roles. */
export interface DynamicGroup extends Described {
  readonly groupname: string
  roles: Links
  /** By user name, with the priority that the group has for the client. */
  readonly clients: Links
}

/** Users, groups and roles. All that refers to another one refers to one that is there: commands check it, and what is deleted is taken out
 * everywhere. */
export class DynamicDatabase {
  readonly clients: Map<string, DynamicClient> = new Map()
  readonly groups: Map<string, DynamicGroup> = new Map()
  readonly roles: Map<string, DynamicRole> = new Map()
  readonly defaultAccess: Record<DefaultAccessType, boolean> = {
    publishClientSend: false,
    publishClientReceive: false,
    subscribe: false,
    unsubscribe: false,
  }
  /** Its roles are those of clients without user name. */
  anonymousGroup: string | undefined
  /** Grows by one with each change. */
  changeIndex = 0

  addClient(username: string): DynamicClient {
    const client: DynamicClient = { username, disabled: false, roles: new Map(), groups: new Map() }
    this.clients.set(username, client)
    return client
  }

  addGroup(groupname: string): DynamicGroup {
    const group: DynamicGroup = { groupname, roles: new Map(), clients: new Map() }
    this.groups.set(groupname, group)
    return group
  }

  addRole(rolename: string): DynamicRole {
    const role: DynamicRole = { rolename, allowwildcardsubs: true, acls: [] }
    this.roles.set(rolename, role)
    return role
  }

  join(client: DynamicClient, group: DynamicGroup, priority: number): void {
    client.groups.set(group.groupname, priority)
    group.clients.set(client.username, priority)
  }

  part(client: DynamicClient, group: DynamicGroup): void {
    client.groups.delete(group.groupname)
    group.clients.delete(client.username)
  }

  removeClient(client: DynamicClient): void {
    for (const name of client.groups.keys()) this.groups.get(name)?.clients.delete(client.username)
    this.clients.delete(client.username)
  }

  removeGroup(group: DynamicGroup): void {
    for (const username of group.clients.keys()) this.clients.get(username)?.groups.delete(group.groupname)
    this.groups.delete(group.groupname)
  }

  removeRole(role: DynamicRole): void {
    for (const owner of [...this.clients.values(), ...this.groups.values()]) owner.roles.delete(role.rolename)
    this.roles.delete(role.rolename)
  }

  /** The roles of a client in the order in which they are asked: its own, then those of its groups. */
  rolesOf({ roles, groups }: DynamicClient): DynamicRole[] {
    const linked = [roles, ...this.#inOrder(groups, this.groups).map(group => group.roles)]
    return linked.flatMap(links => this.#inOrder(links, this.roles))
  }

  /** Undefined: there is no group for clients without user name. */
  anonymousRoles(): DynamicRole[] | undefined {
    const group = this.anonymousGroup === undefined ? undefined : this.groups.get(this.anonymousGroup)
    return group && this.#inOrder(group.roles, this.roles)
  }

  #inOrder<Item>(links: Links, items: ReadonlyMap<string, Item>): Item[] {
    return orderedLinks(links).flatMap(([name]) => items.get(name) ?? [])
  }
}

/** By priority, the highest first; names decide between equal ones. */
export function orderedLinks(links: Links): (readonly [name: string, priority: number])[] {
  return [...links].toSorted(([a, p], [b, q]) => q - p || byName(a, b))
}

/** As C compares texts: by their bytes. */
export function byName(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** By priority, the highest first; otherwise in the order in which they were added. */
export function orderedAcls({ acls }: DynamicRole, type: AclType): DynamicAcl[] {
  return acls.filter(({ acltype }) => acltype === type).toSorted((a, b) => b.priority - a.priority)
}
