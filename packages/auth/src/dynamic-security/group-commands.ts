import { CommandRefusal } from '../command-request.ts'
import { affectGroup, found } from './commands.ts'
import type { CommandHost, DynamicCommand } from './commands.ts'
import type { DynamicGroup } from './database.ts'
import { shownGroup } from './database-json.ts'
import { checkDescription, describe } from './describe.ts'
import { linksIn, nameIn, newNameIn, priorityIn } from './fields.ts'
import { listed } from './listing.ts'

const createGroup: DynamicCommand = ({ database, changed }, fields) => {
  const groupname = newNameIn(fields, 'groupname')
  if (database.groups.has(groupname)) throw new CommandRefusal('Group already exists')
  checkDescription(fields)
  const roles = linksIn(fields, 'role', database)
  const group = database.addGroup(groupname)
  describe(group, fields)
  if (roles !== undefined) group.roles = roles
  changed()
}

/** Those who were members, and those who are now, may do something else. */
const modifyGroup: DynamicCommand = (host, fields) => {
  const { database } = host
  const group = found(database, 'group', fields)
  checkDescription(fields)
  const roles = linksIn(fields, 'role', database)
  const clients = linksIn(fields, 'client', database)
  affectGroup(host, group)
  describe(group, fields)
  if (roles !== undefined) group.roles = roles
  if (clients !== undefined) setMembers(host, group, clients)
  changedFor(host, group)
}

function setMembers({ database }: CommandHost, group: DynamicGroup, members: ReadonlyMap<string, number>): void {
  for (const username of group.clients.keys()) {
    const client = database.clients.get(username)
    if (client !== undefined) database.part(client, group)
  }
  for (const [username, priority] of members) {
    const client = database.clients.get(username)
    if (client !== undefined) database.join(client, group, priority)
  }
}

const deleteGroup: DynamicCommand = (host, fields) => {
  const group = found(host.database, 'group', fields)
  if (host.database.anonymousGroup === group.groupname) {
    throw new CommandRefusal('Deleting the anonymous group is forbidden')
  }
  affectGroup(host, group)
  host.database.removeGroup(group)
  host.changed()
}

const getGroup: DynamicCommand = ({ database }, fields) => ({ group: shownGroup(found(database, 'group', fields)) })

const listGroups: DynamicCommand = ({ database }, fields) =>
  listed(fields, database.groups, { key: 'groups', name: ({ groupname }) => groupname, show: shownGroup })

const addGroupClient: DynamicCommand = (host, fields) => {
  nameIn(fields, 'username')
  nameIn(fields, 'groupname')
  const client = found(host.database, 'client', fields)
  const group = found(host.database, 'group', fields)
  if (group.clients.has(client.username)) throw new CommandRefusal('Client is already in this group')
  host.database.join(client, group, priorityIn(fields))
  host.affected.usernames.add(client.username)
  host.changed()
}

const removeGroupClient: DynamicCommand = (host, fields) => {
  nameIn(fields, 'username')
  nameIn(fields, 'groupname')
  const client = found(host.database, 'client', fields)
  host.database.part(client, found(host.database, 'group', fields))
  host.affected.usernames.add(client.username)
  host.changed()
}

const addGroupRole: DynamicCommand = (host, fields) => {
  nameIn(fields, 'groupname')
  nameIn(fields, 'rolename')
  const group = found(host.database, 'group', fields)
  const { rolename } = found(host.database, 'role', fields)
  if (group.roles.has(rolename)) throw new CommandRefusal('Group is already in this role')
  group.roles.set(rolename, priorityIn(fields))
  changedFor(host, group)
}

const removeGroupRole: DynamicCommand = (host, fields) => {
  nameIn(fields, 'groupname')
  nameIn(fields, 'rolename')
  const group = found(host.database, 'group', fields)
  group.roles.delete(found(host.database, 'role', fields).rolename)
  changedFor(host, group)
}

const setAnonymousGroup: DynamicCommand = (host, fields) => {
  const { groupname } = found(host.database, 'group', fields)
  host.database.anonymousGroup = groupname
  host.affected.anonymous = true
  host.changed()
}

const getAnonymousGroup: DynamicCommand = ({ database }) => ({ group: { groupname: database.anonymousGroup ?? '' } })

function changedFor(host: CommandHost, group: DynamicGroup): void {
  affectGroup(host, group)
  host.changed()
}

/** The commands about groups, by their names. */
export const groupCommands: Readonly<Record<string, DynamicCommand>> = {
  createGroup,
  modifyGroup,
  deleteGroup,
  getGroup,
  listGroups,
  addGroupClient,
  removeGroupClient,
  addGroupRole,
  removeGroupRole,
  setAnonymousGroup,
  getAnonymousGroup,
}
