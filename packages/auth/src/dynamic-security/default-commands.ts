import { CommandRefusal } from '../command-request.ts'
import type { DynamicCommand } from './commands.ts'
import { defaultAccessTypes } from './database.ts'
import { flagIn, objectsIn, optionalText } from './fields.ts'

/** Connections stay; what they may do changes with the next message. */
const setDefaultACLAccess: DynamicCommand = ({ database, changed }, fields) => {
  const acls = objectsIn(fields, 'acls')
  if (acls === undefined) throw new CommandRefusal('Missing/invalid actions array')
  for (const one of acls) {
    const given = optionalText(one, 'acltype')?.toLowerCase()
    const type = defaultAccessTypes.find(known => known.toLowerCase() === given)
    const allow = flagIn(one, 'allow')
    if (type !== undefined && allow !== undefined) database.defaultAccess[type] = allow
  }
  changed()
}

const getDefaultACLAccess: DynamicCommand = ({ database }) => ({
  acls: defaultAccessTypes.map(acltype => ({ acltype, allow: database.defaultAccess[acltype] })),
})

const getDetails: DynamicCommand = ({ database: { clients, groups, roles, changeIndex } }) => ({
  clientCount: clients.size,
  groupCount: groups.size,
  roleCount: roles.size,
  changeIndex,
})

/** The commands about default access and the group of anonymous clients, by their names. */
export const defaultCommands: Readonly<Record<string, DynamicCommand>> = {
  setDefaultACLAccess,
  getDefaultACLAccess,
  getDetails,
}
