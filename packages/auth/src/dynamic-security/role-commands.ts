import { CommandRefusal, fieldOf } from '../command-request.ts'
import type { CommandFields } from '../command-request.ts'
import { affectRole, found } from './commands.ts'
import type { CommandHost, DynamicCommand } from './commands.ts'
import type { DynamicRole } from './database.ts'
import { shownRole } from './database-json.ts'
import { checkDescription, describe } from './describe.ts'
import { aclIn, aclTypeIn, aclsIn, flagIn, isSameAcl, nameIn, newNameIn, text } from './fields.ts'
import { listed } from './listing.ts'

function wildcardsIn(fields: CommandFields): boolean | undefined {
  const value = flagIn(fields, 'allowwildcardsubs')
  if (value === undefined && fieldOf(fields, 'allowwildcardsubs') !== undefined) {
    throw new CommandRefusal('Invalid allowwildcardsubs')
  }
  return value
}

const createRole: DynamicCommand = ({ database, changed }, fields) => {
  const rolename = newNameIn(fields, 'rolename')
  if (database.roles.has(rolename)) throw new CommandRefusal('Role already exists')
  checkDescription(fields)
  const [wildcards, acls] = [wildcardsIn(fields), aclsIn(fields)]
  const role = database.addRole(rolename)
  describe(role, fields)
  if (wildcards !== undefined) role.allowwildcardsubs = wildcards
  if (acls !== undefined) role.acls = acls
  changed()
}

const modifyRole: DynamicCommand = (host, fields) => {
  const role = host.database.roles.get(nameIn(fields, 'rolename'))
  if (role === undefined) throw new CommandRefusal('Role does not exist')
  checkDescription(fields)
  const [wildcards, acls] = [wildcardsIn(fields), aclsIn(fields)]
  describe(role, fields)
  if (wildcards !== undefined) role.allowwildcardsubs = wildcards
  if (acls !== undefined) role.acls = acls
  changedFor(host, role)
}

const deleteRole: DynamicCommand = (host, fields) => {
  const role = found(host.database, 'role', fields)
  changedFor(host, role)
  host.database.removeRole(role)
}

const getRole: DynamicCommand = ({ database }, fields) => ({ role: shownRole(found(database, 'role', fields)) })

const listRoles: DynamicCommand = ({ database }, fields) =>
  listed(fields, database.roles, { key: 'roles', name: ({ rolename }) => rolename, show: shownRole })

const addRoleACL: DynamicCommand = (host, fields) => {
  const role = found(host.database, 'role', fields)
  const acl = aclIn(fields)
  if (role.acls.some(one => isSameAcl(one, acl))) throw new CommandRefusal('ACL with this topic already exists')
  role.acls.push(acl)
  changedFor(host, role)
}

const removeRoleACL: DynamicCommand = (host, fields) => {
  const role = found(host.database, 'role', fields)
  const acl = { acltype: aclTypeIn(fields), topic: text(fields, 'topic') }
  const others = role.acls.filter(one => !isSameAcl(one, acl))
  if (others.length === role.acls.length) throw new CommandRefusal('ACL not found')
  role.acls = others
  changedFor(host, role)
}

function changedFor(host: CommandHost, { rolename }: DynamicRole): void {
  affectRole(host, rolename)
  host.changed()
}

/** The commands about roles, by their names. */
export const roleCommands: Readonly<Record<string, DynamicCommand>> = {
  createRole,
  modifyRole,
  deleteRole,
  getRole,
  listRoles,
  addRoleACL,
  removeRoleACL,
}
