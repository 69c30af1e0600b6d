import { CommandRefusal } from '../command-request.ts'
import type { CommandFields } from '../command-request.ts'
import { found } from './commands.ts'
import type { CommandHost, DynamicCommand } from './commands.ts'
import type { DynamicClient } from './database.ts'
import { shownClient } from './database-json.ts'
import { checkDescription, describe } from './describe.ts'
import { clientIdIn, linksIn, nameIn, newNameIn, optionalText, priorityIn, text } from './fields.ts'
import { listed } from './listing.ts'

/** Checked and hashed before anything is changed. */
interface Wishes {
  readonly clientid: string | undefined
  /** Undefined: none is given, or an empty one. */
  readonly hash: string | undefined
  readonly roles: ReadonlyMap<string, number> | undefined
  readonly groups: ReadonlyMap<string, number> | undefined
}

async function wishesIn({ database, hash }: CommandHost, fields: CommandFields): Promise<Wishes> {
  const password = optionalText(fields, 'password')
  const clientid = clientIdIn(fields)
  checkDescription(fields)
  const roles = linksIn(fields, 'role', database)
  const groups = linksIn(fields, 'group', database)
  return { clientid, roles, groups, hash: password ? await hash(password) : undefined }
}

function grant({ database }: CommandHost, client: DynamicClient, { roles, groups, hash, clientid }: Wishes): void {
  if (hash !== undefined) client.encodedPassword = hash
  if (clientid !== undefined) setClientId(client, clientid)
  if (roles !== undefined) client.roles = new Map(roles)
  if (groups === undefined) return
  for (const name of client.groups.keys()) {
    const group = database.groups.get(name)
    if (group !== undefined) database.part(client, group)
  }
  for (const [name, priority] of groups) {
    const group = database.groups.get(name)
    if (group !== undefined) database.join(client, group, priority)
  }
}

/** An empty one is none. */
function setClientId(client: DynamicClient, clientid: string | undefined): void {
  if (clientid === undefined || clientid === '') delete client.clientid
  else client.clientid = clientid
}

const createClient: DynamicCommand = async (host, fields) => {
  const username = newNameIn(fields, 'username')
  if (host.database.clients.has(username)) throw new CommandRefusal('Client already exists')
  const wishes = await wishesIn(host, fields)
  const client = host.database.addClient(username)
  describe(client, fields)
  grant(host, client, wishes)
  host.changed()
}

const modifyClient: DynamicCommand = async (host, fields) => {
  const client = found(host.database, 'client', fields)
  const wishes = await wishesIn(host, fields)
  describe(client, fields)
  grant(host, client, wishes)
  changedFor(host, client)
}

const setClientPassword: DynamicCommand = async (host, fields) => {
  nameIn(fields, 'username')
  const password = text(fields, 'password')
  if (password === '') throw new CommandRefusal('Empty password is not allowed')
  const client = found(host.database, 'client', fields)
  client.encodedPassword = await host.hash(password)
  changedFor(host, client)
}

const deleteClient: DynamicCommand = (host, fields) => {
  const client = found(host.database, 'client', fields)
  host.database.removeClient(client)
  changedFor(host, client)
}

const setClientIdCommand: DynamicCommand = (host, fields) => {
  const clientid = clientIdIn(fields)
  const client = found(host.database, 'client', fields)
  setClientId(client, clientid)
  changedFor(host, client)
}

/** Who could not connect is not connected. */
const enableClient: DynamicCommand = (host, fields) => {
  found(host.database, 'client', fields).disabled = false
  host.changed()
}

const disableClient: DynamicCommand = (host, fields) => {
  const client = found(host.database, 'client', fields)
  client.disabled = true
  changedFor(host, client)
}

const addClientRole: DynamicCommand = (host, fields) => {
  nameIn(fields, 'username')
  nameIn(fields, 'rolename')
  const client = found(host.database, 'client', fields)
  const { rolename } = found(host.database, 'role', fields)
  // Mosquitto's answer, which clients know.
  if (client.roles.has(rolename)) throw new CommandRefusal('Internal error')
  client.roles.set(rolename, priorityIn(fields))
  changedFor(host, client)
}

const removeClientRole: DynamicCommand = (host, fields) => {
  nameIn(fields, 'username')
  nameIn(fields, 'rolename')
  const client = found(host.database, 'client', fields)
  client.roles.delete(found(host.database, 'role', fields).rolename)
  changedFor(host, client)
}

const getClient: DynamicCommand = (host, fields) => {
  const client = found(host.database, 'client', fields)
  const connections = host.addressesOf(client.username).map(address => ({ address }))
  return { client: { ...shownClient(client), connections } }
}

const listClients: DynamicCommand = ({ database, addressesOf }, fields) =>
  listed(fields, database.clients, {
    key: 'clients',
    name: ({ username }) => username,
    show: client => ({
      ...shownClient(client),
      connections: addressesOf(client.username).map(address => ({ address })),
    }),
  })

function changedFor(host: CommandHost, { username }: DynamicClient): void {
  host.affected.usernames.add(username)
  host.changed()
}

/** The commands about clients, by their names. */
export const clientCommands: Readonly<Record<string, DynamicCommand>> = {
  createClient,
  modifyClient,
  deleteClient,
  enableClient,
  disableClient,
  setClientPassword,
  setClientId: setClientIdCommand,
  getClient,
  listClients,
  addClientRole,
  removeClientRole,
}
