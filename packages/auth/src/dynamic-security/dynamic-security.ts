import type { MaybePromise } from '@x/contract'
import type { AccessRules, Rights } from '../access-rules.ts'
import { runCommands } from '../command-request.ts'
import type { CommandFunction } from '../command-request.ts'
import { HashQueue } from '../hash-queue.ts'
import type { Acceptance, Login, LoginCheck, LoginVerdict, Proof } from '../login-check.ts'
import { hashPassword, parsePasswordHash } from '../password-hash.ts'
import { clientCommands } from './client-commands.ts'
import type { Affected, CommandHost, DynamicCommand } from './commands.ts'
import type { DynamicDatabase } from './database.ts'
import { databaseJson } from './database-json.ts'
import { parseDatabase } from './database-file.ts'
import { defaultCommands } from './default-commands.ts'
import { DynamicRights } from './dynamic-rights.ts'
import { groupCommands } from './group-commands.ts'
import { roleCommands } from './role-commands.ts'
import { writeWhole } from './whole-file.ts'

/** Who sends commands. */
export interface Commander {
  readonly clientId: string
  readonly username: string | undefined
  /** Addresses of the connected clients of a name. */
  addressesOf(username: string): readonly string[]
}

/** Is told what happens to users and rights while a broker runs. */
export interface DynamicSecurityObserver {
  /** Rights have changed, from now on; the connections of those affected are to be ended. */
  readonly changed?: (affected: Readonly<Affected>) => void
  /** A command was executed or refused. For the log. */
  readonly executed?: (command: ExecutedCommand) => void
  /** The file could not be written, so that nothing has changed; or a command has failed. */
  readonly failed?: (error: unknown) => void
}

/** A command that a client has sent, with its outcome. */
export interface ExecutedCommand {
  readonly clientId: string
  readonly username: string | undefined
  readonly command: string
  /** Why it was refused. */
  readonly error: string | undefined
}

/** What an instance begins with. */
export interface DynamicSecurityContent {
  readonly file: string
  readonly json: string
  /** Passwords compared at a time. */
  readonly maximumConcurrentHashes: number
  /** Files that are not there yet, with their text: written by `begin`. */
  readonly missing: ReadonlyMap<string, string>
}

const commands: Readonly<Record<string, DynamicCommand>> = {
  ...defaultCommands,
  ...clientCommands,
  ...groupCommands,
  ...roleCommands,
}
const refused: Rights = {
  may: () => false,
  maySubscribe: () => false,
  mayUnsubscribe: () => false,
  explain: () => ({ isAllowed: false, why: 'dynamic security knows no client of this name' }),
}

/** Users, groups and roles in the file of Mosquitto's plugin, which clients change by commands while the broker runs.
 *
 * Commands are executed one after the other. What a request has changed is in the file before its response is sent; when the file can't be
 * written, nothing has changed. */
export class DynamicSecurity implements LoginCheck, AccessRules {
  /** Where commands are published. */
  static readonly topic = '$CONTROL/dynamic-security/v1'
  readonly file: string
  #database: DynamicDatabase
  /** What the file has: it holds again when a change can't be written. */
  #saved: string
  readonly #queue: HashQueue
  readonly #observers = new Set<DynamicSecurityObserver>()
  #missing: ReadonlyMap<string, string>
  /** Settles when the last request is done. */
  #last: Promise<unknown> = Promise.resolve()

  /** @throws AuthError `DYNAMIC_SECURITY_INVALID` */
  constructor({ file, json, maximumConcurrentHashes, missing }: DynamicSecurityContent) {
    this.file = file
    this.#database = parseDatabase(json, file)
    this.#saved = json
    this.#queue = new HashQueue(maximumConcurrentHashes)
    this.#missing = missing
  }

  /** Writes the file when there was none, and beside it, in `FILE.pw`, passwords that were made up. To be called when the broker starts.
   * @throws an error of the file system */
  async begin(): Promise<void> {
    const missing = this.#missing
    this.#missing = new Map()
    for (const [file, text] of missing) await writeWhole(file, text)
  }

  /** @returns what ends it */
  observe(observer: DynamicSecurityObserver): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  check({ clientId, username, password }: Login): MaybePromise<LoginVerdict | Acceptance> {
    if (username === undefined || password === undefined) return 'defer'
    const { clients } = this.#database
    const client = clients.get(username)
    const hash = client?.encodedPassword ?? this.#decoy()
    if (hash === undefined) return client === undefined ? 'defer' : 'refuse'
    // An unknown name takes as long as a wrong password.
    return this.#queue.verify(parsePasswordHash(hash), password).then(isRight => {
      // Looked up again: commands were executed meanwhile.
      const now = this.#database.clients.get(username)
      if (now === undefined) return 'defer'
      const mayBe = !now.disabled && (now.clientid === undefined || now.clientid === clientId)
      return isRight && mayBe && now.encodedPassword === hash ? { evidence: hash } : 'refuse'
    })
  }

  recheck({ username, evidence }: Proof): LoginVerdict {
    const client = username === undefined ? undefined : this.#database.clients.get(username)
    if (client === undefined) return 'defer'
    return !client.disabled && client.encodedPassword === evidence ? 'accept' : 'refuse'
  }

  /** Rights as they are now: after a change they have to be asked for again. */
  rightsOf(username: string | undefined, clientId: string): Rights {
    const database = this.#database
    const { defaultAccess } = database
    const names = { username, clientId }
    if (username === undefined) {
      return new DynamicRights({ names, defaultAccess, roles: database.anonymousRoles() ?? [] })
    }
    const client = database.clients.get(username)
    return client === undefined ? refused : new DynamicRights({ names, defaultAccess, roles: database.rolesOf(client) })
  }

  /** Executes a request, `{"commands":[…]}`. Returns its response; it does not reject. */
  execute(commander: Commander, payload: Buffer): Promise<string> {
    const request = Buffer.from(payload)
    const done = this.#last.then(() => this.#execute(commander, request))
    this.#last = done
    return done
  }

  async #execute(commander: Commander, request: Buffer): Promise<string> {
    const affected: Affected = { usernames: new Set(), anonymous: false }
    const before = this.#database.changeIndex
    const host: CommandHost = {
      database: this.#database,
      affected,
      hash: password => hashPassword(password, { algorithm: 'sha512-pbkdf2' }),
      addressesOf: username => commander.addressesOf(username),
      changed: () => {
        this.#database.changeIndex += 1
      },
    }
    const responses = await runCommands(request, bound(host), error => this.#tell('failed', error))
    const hasChanged = this.#database.changeIndex !== before
    if (hasChanged && !(await this.#isSaved())) {
      for (const one of responses) if (one.data === undefined) one.error ??= 'Internal error'
    }
    for (const { command, error } of responses) {
      this.#tell('executed', { clientId: commander.clientId, username: commander.username, command, error })
    }
    if (hasChanged) this.#tell('changed', affected)
    return JSON.stringify({ responses })
  }

  /** False: it can't be written, so that what was before holds again. */
  async #isSaved(): Promise<boolean> {
    try {
      const json = databaseJson(this.#database)
      await writeWhole(this.file, json)
      this.#saved = json
      return true
    } catch (error) {
      this.#database = parseDatabase(this.#saved, this.file)
      this.#tell('failed', error)
      return false
    }
  }

  #tell<Event extends keyof DynamicSecurityObserver>(
    event: Event,
    what: Parameters<NonNullable<DynamicSecurityObserver[Event]>>[0],
  ): void {
    for (const observer of this.#observers) (observer[event] as ((value: typeof what) => void) | undefined)?.(what)
  }

  /** A hash to compute for a name that does not exist. Undefined: there are no names to hide. */
  #decoy(): string | undefined {
    for (const { encodedPassword } of this.#database.clients.values()) {
      if (encodedPassword !== undefined) return encodedPassword
    }
    return undefined
  }
}

function bound(host: CommandHost): ReadonlyMap<string, CommandFunction> {
  return new Map(
    Object.entries(commands).map(([name, command]): [string, CommandFunction] => [
      name.toLowerCase(),
      fields => command(host, fields),
    ]),
  )
}
