import { parseArgs } from 'node:util'
import { SESSION_NEVER_EXPIRES } from '@x/contract'
import { importAedes, StoreInspection } from '@x/persistence-redis'
import type { AedesImportOptions, SessionSummary, StoreSummary } from '@x/persistence-redis'
import { print } from './print.ts'

const usage = `x-broker redis: looks at what brokers keep in Redis (x-broker --redis URL), and brings there what Aedes has stored

  x-broker redis inspect URL [CLIENT]    brokers, sessions, queues, retained messages, and what nothing explains; or one session
  x-broker redis import-aedes URL        takes over what aedes-persistence-redis (11, 12) keeps there: sessions, queues, retained messages, wills

  --prefix NAME                          first part of every key (default x)
  --to URL                               the Redis that brokers use, if it is another one
  --aedes-prefix NAME                    keyPrefix of Aedes's store, if it has one
  --dry-run                              counts what would be taken over

inspect changes nothing, and may run while brokers do; what changes meanwhile may be told as not explained.
import-aedes changes nothing of Aedes's, which has to be stopped. It may be repeated: what is there already stays as it is.
Exit codes: 0 done, 1 failed, or inspect has found what nothing explains, 2 wrong command line.
`

/** Carries out `x-broker redis …`, and resolves with the exit code. */
export async function runRedisCommand(words: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(words)
  } catch (error) {
    return refuse(sentenceOf(error).split('\n')[0] ?? '')
  }
  const { values, positionals } = parsed
  const [task, url, clientId, ...rest] = positionals
  if (values.help === true || task === undefined) {
    print(process.stdout, usage)
    return 0
  }
  if (task !== 'inspect' && task !== 'import-aedes')
    return refuse(`redis '${task}' is unknown, it must be inspect or import-aedes`)
  if (url === undefined || rest.length > 0 || (task === 'import-aedes' && clientId !== undefined))
    return refuse(`redis ${task} takes URL${task === 'inspect' ? ' [CLIENT]' : ''}`)
  try {
    if (task === 'inspect') return await inspect(url, clientId, values.prefix)
    return await takeOver({
      from: url,
      prefix: values.prefix,
      aedesPrefix: values['aedes-prefix'],
      dryRun: values['dry-run'],
      ...(values.to !== undefined && { to: values.to }),
    })
  } catch (error) {
    print(process.stderr, `x-broker: ${sentenceOf(error)}\n`)
    return 1
  }
}

function parse(words: readonly string[]) {
  const options = {
    prefix: { type: 'string', default: 'x' },
    to: { type: 'string' },
    'aedes-prefix': { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  } as const
  return parseArgs({ args: [...words], strict: true, allowPositionals: true, options })
}

function refuse(message: string): number {
  print(process.stderr, `x-broker: ${message}\nTry x-broker redis --help.\n`)
  return 2
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function inspect(url: string, clientId: string | undefined, prefix: string): Promise<number> {
  const inspection = await StoreInspection.open(url, prefix)
  try {
    if (clientId === undefined) {
      const summary = await inspection.summary()
      print(process.stdout, `${linesOf(summary).join('\n')}\n`)
      return summary.unexplained.length === 0 ? 0 : 1
    }
    const session = await inspection.session(clientId)
    if (session === undefined) throw new Error(`Redis has no session of client ${JSON.stringify(clientId)}`)
    print(process.stdout, `${linesOfSession(session).join('\n')}\n`)
    return 0
  } finally {
    inspection.close()
  }
}

async function takeOver(options: AedesImportOptions): Promise<number> {
  const taken = await importAedes(options)
  const lines = [
    options.dryRun === true ? 'would take over' : 'has taken over',
    `sessions      ${taken.sessions}`,
    `subscriptions ${taken.subscriptions}`,
    `queued        ${taken.queuedMessages} messages, ${taken.released} of them received by its client`,
    `received      ${taken.received} QoS 2 messages whose PUBREL is still to come`,
    `retained      ${taken.retainedMessages} messages`,
    `wills         ${taken.wills}, which a broker publishes within 30 s`,
    `skipped       ${taken.skipped} that are there already`,
  ]
  print(process.stdout, `${lines.join('\n')}\n`)
  return 0
}

function linesOf(summary: StoreSummary): string[] {
  const { brokers, unexplained } = summary
  return [
    `schema        ${summary.schema}`,
    `brokers       ${brokers.length}`,
    ...brokers.map(({ name, until }) => `broker        ${name}, ${lease(until)}`),
    `sessions      ${summary.sessions} that outlive their connections; ${summary.openSessions} open`,
    `subscriptions ${summary.subscriptions}`,
    `queued        ${summary.queuedMessages} messages`,
    `retained      ${summary.retainedMessages} messages`,
    `wills         ${summary.wills} that brokers publish now`,
    `fan-outs      ${summary.fanOuts} under way`,
    ...(unexplained.length === 0 ? ['unexplained   nothing'] : unexplained.map(text => `unexplained   ${text}`)),
  ]
}

function lease(until: number | undefined): string {
  return until === undefined || until < Date.now() ? 'which is gone' : `there until ${timeOf(until)} at least`
}

function timeOf(at: number): string {
  return new Date(at).toISOString()
}

function linesOfSession(session: SessionSummary): string[] {
  const { clientId, owner, ownerUntil, sessionExpiryInterval, expiresAt, willDueAt, queue, queuedMessages } = session
  const interval = sessionExpiryInterval === SESSION_NEVER_EXPIRES ? 'never ends' : `${sessionExpiryInterval} s`
  const end = expiresAt === undefined ? '' : `, ends ${timeOf(expiresAt)}`
  const where = owner === undefined ? 'closed' : `open at ${owner}, ${lease(ownerUntil)}`
  return [
    `${JSON.stringify(clientId)}: ${where}; ${interval}${end}`,
    ...(session.hasWill ? [`will          ${willDueAt === undefined ? 'at its end' : `at ${timeOf(willDueAt)}`}`] : []),
    ...(session.isBehind ? ['behind        its client reads the queue'] : []),
    ...session.subscriptions.map(({ filter, qos }) => `subscription  ${JSON.stringify(filter)} QoS ${qos}`),
    `queued        ${queuedMessages} messages`,
    ...queue.map(
      ({ sequence, topic, qos, bytes, state }) =>
        `queued ${sequence}  ${JSON.stringify(topic)} QoS ${qos}, ${bytes} bytes, ${state}`,
    ),
  ]
}
