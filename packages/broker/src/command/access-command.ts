import { parseArgs } from 'node:util'
import { AccessControl, AuthError } from '@x/auth'
import type { AccessAction } from '@x/auth'
import { ConfigProblem } from '../config/config-problem.ts'
import { loadConfig } from '../config/load-config.ts'
import { prepare } from '../config/prepare.ts'
import { print } from './print.ts'
import { Refusal } from './refusal.ts'

const usage = `x-broker access explain: which rule decides what somebody may do, and why

  x-broker access explain --config FILE [--user NAME] [--client ID] [--listener NAME] [--certificate NAME]
                          [--claim NAME=VALUE]… [--group NAME]… [--role NAME]… publish|receive|subscribe TOPIC

It reads the configuration as x-broker itself does: ACL files, rules and the file of dynamic security. Without --user it is about clients
without user name. --certificate is the Common Name that \${cert.cn} stands for; --listener is one with access of its own. Claims, groups and roles are those of a token, or of a server's answer.
Exit codes: 0 allowed, 1 refused, 2 wrong command line, 3 wrong configuration.
`

const options = {
  config: { type: 'string', short: 'c' },
  user: { type: 'string' },
  client: { type: 'string' },
  listener: { type: 'string' },
  certificate: { type: 'string' },
  claim: { type: 'string', multiple: true },
  group: { type: 'string', multiple: true },
  role: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

const exitCodes = { allowed: 0, refused: 1, commandLine: 2, configuration: 3 } as const
const actions: readonly AccessAction[] = ['publish', 'receive', 'subscribe']

/** `x-broker access …`; returns its exit code. */
export function access([verb, ...parameters]: readonly string[]): number {
  try {
    if (verb === '--help' || verb === '-h') {
      print(process.stdout, usage)
      return exitCodes.allowed
    }
    if (verb !== 'explain') throw new Refusal(`it can explain, but not '${verb ?? ''}'; try x-broker access --help`)
    return explain(parameters)
  } catch (error) {
    const isConfiguration = error instanceof ConfigProblem || error instanceof AuthError
    if (!isConfiguration && !isParameterFault(error)) throw error
    print(process.stderr, `x-broker access: ${error.message}\n`)
    return isConfiguration ? exitCodes.configuration : exitCodes.commandLine
  }
}

/** Faults of the command line: those of Node's parser, ours, and a topic that is none. */
function isParameterFault(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  return error instanceof Refusal || error.name === 'TopicError' || (error instanceof TypeError && 'code' in error)
}

function explain(parameters: readonly string[]): number {
  const { values, positionals } = parseArgs({ args: [...parameters], strict: true, allowPositionals: true, options })
  const [given, topic] = positionals
  const action = actions.find(one => one === given)
  if (action === undefined || topic === undefined || positionals.length !== 2) {
    throw new Refusal('it takes publish, receive or subscribe, and a topic; try x-broker access --help')
  }
  const { isAllowed, why } = decisionOf(values, action, topic)
  const who = values.user === undefined ? 'a client without user name' : `user '${values.user}'`
  const what = `${action} '${topic}' by ${who}, client '${values.client ?? ''}'`
  print(process.stdout, `${what}: ${isAllowed ? 'allowed' : 'refused'}\n  ${why}\n`)
  return isAllowed ? exitCodes.allowed : exitCodes.refused
}

function decisionOf(values: Values, action: AccessAction, topic: string): ReturnType<AccessControl['explain']> {
  const { config: file, user: username, client: clientId = '', certificate: certificateName } = values
  const { claim = [], group: groups = [], role: roles = [] } = values
  if (file === undefined) throw new Refusal('--config FILE is missing')
  const { config } = loadConfig({ file, flags: {}, environment: process.env })
  const prepared = prepare({ ...config, store: { memory: true } })
  const names = prepared.listeners.map(one => one.options.name)
  const listener = values.listener ?? names[0]
  if (listener === undefined || !names.includes(listener)) {
    throw new Refusal(`--listener is '${listener}', it must be one of ${names.join(', ')}`)
  }
  const control = new AccessControl(prepared.access ?? { allowAnonymous: true })
  const details = { certificateName, claims: new Map(claim.map(claimOf)), groups, roles }
  return control.explain({ username, clientId, ...details, listener }, action, topic)
}

function claimOf(text: string): [name: string, value: string] {
  const sign = text.indexOf('=')
  if (sign > 0) return [text.slice(0, sign), text.slice(sign + 1)]
  throw new Refusal(`--claim is '${text}', it must be NAME=VALUE`)
}
