import type { MaybePromise } from '@x/contract'

/** A command of a request on a `$CONTROL/` topic, or any other object in it. */
export type CommandFields = Readonly<Record<string, unknown>>

/** Why a command is refused, as its client is told. */
export class CommandRefusal extends Error {
  override readonly name = 'CommandRefusal'
}

/** Executes one command. Returns its data; undefined: there is none.
 * @throws CommandRefusal */
export type CommandFunction = (fields: CommandFields) => MaybePromise<object | void>

/** A result, as `mosquitto_ctrl` and other clients expect it. */
export interface CommandResponse {
  command: string
  error?: string
  data?: object
  correlationData?: string
}

/** A value of an object. Names are compared without case, as Mosquitto does. */
export function fieldOf(fields: CommandFields, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name]
  const key = Object.keys(fields).find(one => one.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : fields[key]
}

/** Whether a value is an object with fields. */
export function isFields(value: unknown): value is CommandFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Executes the commands of a request, `{"commands":[{"command":NAME,…}]}`, one after the other. Returns their results in order.
 *
 * A command that is refused does not stop those behind it; one that is no command does. Command names are compared without case.
 * @param commands by name in lower case
 * @param failed gets what a command throws that is no `CommandRefusal`; its client is told `Internal error` */
export async function runCommands(
  payload: Buffer,
  commands: ReadonlyMap<string, CommandFunction>,
  failed: (error: unknown) => void,
): Promise<CommandResponse[]> {
  const responses: CommandResponse[] = []
  for (const { fields, problem } of commandsIn(payload)) {
    responses.push(problem ?? (await responseTo(fields, commands, failed)))
  }
  return responses
}

async function responseTo(
  fields: CommandFields,
  commands: ReadonlyMap<string, CommandFunction>,
  failed: (error: unknown) => void,
): Promise<CommandResponse> {
  const response: CommandResponse = { command: fieldOf(fields, 'command') as string }
  const correlation = fieldOf(fields, 'correlationData')
  try {
    const execute = commands.get(response.command.toLowerCase())
    if (execute === undefined) throw new CommandRefusal('Unknown command')
    const data = await execute(fields)
    if (data !== undefined) response.data = data
  } catch (error) {
    if (!(error instanceof CommandRefusal)) failed(error)
    response.error = error instanceof CommandRefusal ? error.message : 'Internal error'
  }
  if (typeof correlation === 'string') response.correlationData = correlation
  return response
}

interface Found {
  readonly fields: CommandFields
  /** Why it is no command; it is the last then. */
  readonly problem: CommandResponse | undefined
}

/** The commands in order. */
function* commandsIn(payload: Buffer): Generator<Found> {
  let request: unknown
  try {
    request = JSON.parse(payload.toString())
  } catch {
    yield noCommand('Payload not valid JSON')
    return
  }
  const commands = isFields(request) ? fieldOf(request, 'commands') : undefined
  if (!Array.isArray(commands)) {
    yield noCommand('Invalid/missing commands')
    return
  }
  for (const one of commands as unknown[]) {
    const found = foundIn(one)
    yield found
    if (found.problem !== undefined) return
  }
}

function foundIn(fields: unknown): Found {
  if (!isFields(fields)) return noCommand('Command not an object')
  const command = fieldOf(fields, 'command')
  if (typeof command !== 'string') return noCommand('Missing command')
  const correlation = fieldOf(fields, 'correlationData')
  if (correlation === undefined || typeof correlation === 'string') return { fields, problem: undefined }
  return noCommand('Invalid correlationData data type.', command)
}

function noCommand(error: string, command: string = 'Unknown command'): Found {
  return { fields: {}, problem: { command, error } }
}
