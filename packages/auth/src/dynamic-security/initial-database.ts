import { DynamicDatabase } from './database.ts'
import type { AclType, DynamicRole } from './database.ts'

const everyAccess: readonly AclType[] = [
  'publishClientSend',
  'publishClientReceive',
  'subscribePattern',
  'unsubscribePattern',
]

/** The roles that Mosquitto begins with, by name, with what they allow on which topic. */
const roles: Readonly<Record<string, readonly [topic: string, types: readonly AclType[]][]>> = {
  client: [['#', everyAccess]],
  'broker-admin': [['$CONTROL/broker/#', everyAccess]],
  'dynsec-admin': [['$CONTROL/dynamic-security/#', everyAccess]],
  'super-admin': [['$CONTROL/#', everyAccess]],
  'sys-notify': [['$SYS/broker/connection/%c/state', ['publishClientSend']]],
  'sys-observe': [['$SYS/#', ['publishClientReceive', 'subscribePattern']]],
  'topic-observe': [['#', ['publishClientReceive', 'subscribePattern', 'unsubscribePattern']]],
}

/** What a broker begins with that has no file yet: one client, `admin`, who may change everything.
 * @param encodedPassword of that client, hashed */
export function initialDatabase(encodedPassword: string): DynamicDatabase {
  const database = new DynamicDatabase()
  Object.assign(database.defaultAccess, { publishClientReceive: true, unsubscribe: true })
  for (const [rolename, grants] of Object.entries(roles)) allow(database.addRole(rolename), grants)
  const admin = database.addClient('admin')
  admin.encodedPassword = encodedPassword
  for (const role of ['super-admin', 'sys-observe', 'topic-observe']) admin.roles.set(role, -1)
  database.anonymousGroup = database.addGroup('unauthenticated').groupname
  return database
}

function allow(role: DynamicRole, grants: readonly [topic: string, types: readonly AclType[]][]): void {
  for (const [topic, types] of grants) {
    for (const acltype of types) role.acls.push({ acltype, topic, priority: 0, allow: true })
  }
}
