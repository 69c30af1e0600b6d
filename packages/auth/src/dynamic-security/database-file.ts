import { CommandRefusal, fieldOf, isFields } from '../command-request.ts'
import type { CommandFields } from '../command-request.ts'
import { AuthError } from '../auth-error.ts'
import { parsePasswordHash } from '../password-hash.ts'
import { DynamicDatabase, defaultAccessTypes } from './database.ts'
import type { DynamicAcl, Links } from './database.ts'
import { aclIn, flagIn, isSameAcl, isValidText, objectsIn, optionalText, priorityIn } from './fields.ts'

/** Reads Mosquitto's file. Entries that can't be used are skipped, as Mosquitto does; an empty file is an empty database.
 * @param file its name, for errors
 * @throws AuthError `DYNAMIC_SECURITY_INVALID` for what is no JSON object */
export function parseDatabase(json: string, file: string): DynamicDatabase {
  const database = new DynamicDatabase()
  if (json.trim() === '') return database
  const fields = parsedObject(json, file)
  const access = fieldOf(fields, 'defaultACLAccess')
  if (isFields(access))
    for (const type of defaultAccessTypes) database.defaultAccess[type] = flagIn(access, type) === true
  const index = fieldOf(fields, 'changeIndex')
  if (typeof index === 'number' && Number.isSafeInteger(index)) database.changeIndex = index
  // Roles first: all others refer to them, and groups to clients.
  for (const role of usable(fields, 'roles', 'rolename')) readRole(database, role)
  for (const client of usable(fields, 'clients', 'username')) readClient(database, client)
  for (const group of usable(fields, 'groups', 'groupname')) readGroup(database, group)
  const anonymous = fieldOf(fields, 'anonymousGroup')
  if (typeof anonymous === 'string' && database.groups.has(anonymous)) database.anonymousGroup = anonymous
  return database
}

function parsedObject(json: string, file: string): CommandFields {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    const { message } = cause as SyntaxError
    const [, position] = /position (\d+)/.exec(message) ?? []
    const line = position === undefined ? undefined : json.slice(0, Number(position)).split('\n').length
    const place = { file, ...(line !== undefined && { line }) }
    throw new AuthError('DYNAMIC_SECURITY_INVALID', `it is no JSON: ${message}`, place, cause)
  }
  if (isFields(value)) return value
  throw new AuthError('DYNAMIC_SECURITY_INVALID', 'it is no JSON object', { file })
}

interface Entry {
  readonly name: string
  readonly fields: CommandFields
}

/** The first entry of each name. */
function usable(fields: CommandFields, list: string, key: string): Entry[] {
  const entries = new Map<string, CommandFields>()
  for (const one of objectsIn(fields, list) ?? []) {
    const name = fieldOf(one, key)
    if (typeof name === 'string' && name !== '' && isValidText(name) && !entries.has(name)) entries.set(name, one)
  }
  return [...entries].map(([name, one]) => ({ name, fields: one }))
}

function readRole(database: DynamicDatabase, { name, fields }: Entry): void {
  const role = Object.assign(database.addRole(name), texts(fields))
  role.allowwildcardsubs = flagIn(fields, 'allowwildcardsubs') ?? true
  for (const one of objectsIn(fields, 'acls') ?? []) {
    const acl = usableAcl(one)
    if (acl !== undefined && !role.acls.some(other => isSameAcl(other, acl))) role.acls.push(acl)
  }
}

function usableAcl(fields: CommandFields): DynamicAcl | undefined {
  try {
    return aclIn(fields)
  } catch (error) {
    if (error instanceof CommandRefusal) return undefined
    throw error
  }
}

function readClient(database: DynamicDatabase, { name, fields }: Entry): void {
  const client = Object.assign(database.addClient(name), texts(fields))
  const clientid = usableText(fields, 'clientid')
  if (clientid !== undefined) client.clientid = clientid
  client.disabled = flagIn(fields, 'disabled') === true
  client.roles = links(fields, { list: 'roles', key: 'rolename' }, database.roles)
  const password = encodedPassword(fields)
  if (password !== undefined) client.encodedPassword = password
}

/** One text, or password, salt and rounds as Mosquitto 2.0 has them; undefined: none that can be used. */
function encodedPassword(fields: CommandFields): string | undefined {
  const [encoded, password, salt] = ['encoded_password', 'password', 'salt'].map(name => usableText(fields, name))
  const iterations = fieldOf(fields, 'iterations')
  const hash = encoded ?? `$7$${String(iterations)}$${salt}$${password}`
  try {
    parsePasswordHash(hash)
    return hash
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function readGroup(database: DynamicDatabase, { name, fields }: Entry): void {
  const group = Object.assign(database.addGroup(name), texts(fields))
  group.roles = links(fields, { list: 'roles', key: 'rolename' }, database.roles)
  for (const [username, priority] of links(fields, { list: 'clients', key: 'username' }, database.clients)) {
    const client = database.clients.get(username)
    if (client !== undefined) database.join(client, group, priority)
  }
}

function links(
  fields: CommandFields,
  { list, key }: { readonly list: string; readonly key: string },
  items: ReadonlyMap<string, unknown>,
): Links {
  return new Map(
    usable(fields, list, key).flatMap(entry => (items.has(entry.name) ? [[entry.name, priorityIn(entry.fields)]] : [])),
  )
}

function texts(fields: CommandFields): { textname?: string; textdescription?: string } {
  const [textname, textdescription] = ['textname', 'textdescription'].map(name => usableText(fields, name))
  return { ...(textname !== undefined && { textname }), ...(textdescription !== undefined && { textdescription }) }
}

function usableText(fields: CommandFields, name: string): string | undefined {
  return typeof fieldOf(fields, name) === 'string' ? optionalText(fields, name) : undefined
}
