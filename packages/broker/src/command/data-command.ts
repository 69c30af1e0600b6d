import { once } from 'node:events'
import { SESSION_NEVER_EXPIRES } from '@x/contract'
import {
  backupData,
  compactData,
  exportData,
  importData,
  inspectClient,
  inspectData,
  readAedesLevel,
  readDumpFile,
  readMosquittoFile,
} from '@x/persistence-lmdb/data'
import type { ClientSummary, DataSummary, DumpRecord } from '@x/persistence-lmdb/data'
import type { DataTask, ImportSource } from './data-command-line.ts'

/** Carries out `x-broker data …` and resolves with the exit code. What goes wrong is said in one line. */
export async function runDataTask(task: DataTask): Promise<number> {
  // A reader that closes the pipe wants no more output.
  process.stdout.on('error', () => process.exit(0))
  try {
    return await carryOut(task)
  } catch (error) {
    process.stderr.write(`x-broker: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function carryOut(task: DataTask): Promise<number> {
  switch (task.name) {
    case 'inspect':
      return task.clientId === undefined ? inspect(task.directory) : inspectOne(task.directory, task.clientId)
    case 'export':
      for await (const record of exportData(task.directory)) await print(JSON.stringify(record))
      return 0
    case 'import': {
      const { session, entry, retained, waiting } = await importData(task.directory, await recordsOf(task.source))
      await print(`${session} sessions, ${entry + waiting} queued and ${retained} retained messages are stored`)
      return 0
    }
    case 'compact':
      await compactData(task.directory)
      return 0
    case 'backup':
      await backupData(task.directory, task.file)
      return 0
    default:
      return assertNever(task)
  }
}

function assertNever(task: never): never {
  throw new Error(`no such task: ${JSON.stringify(task)}`)
}

async function recordsOf({ kind, path }: ImportSource): Promise<Iterable<DumpRecord>> {
  if (kind === 'dump') return readDumpFile(path)
  return kind === 'mosquitto' ? readMosquittoFile(path) : readAedesLevel(path)
}

async function inspect(directory: string): Promise<number> {
  const summary = await inspectData(directory)
  for (const line of linesOf(directory, summary)) await print(line)
  return summary.unexplained.length === 0 ? 0 : 1
}

async function inspectOne(directory: string, clientId: string): Promise<number> {
  const client = await inspectClient(directory, clientId)
  if (client === undefined) throw new Error(`${directory} has no session of client ${JSON.stringify(clientId)}`)
  for (const line of linesOfClient(client)) await print(line)
  return 0
}

function linesOf(directory: string, summary: DataSummary): readonly string[] {
  const { schema, fileBytes, brokers, sessions, openSessions, subscriptions, groups, queued, retained, wills } = summary
  const { longestQueues, unexplained } = summary
  return [
    `${directory}: schema ${schema}, ${fileBytes} bytes`,
    `brokers       ${brokers.length}${brokers.map(({ pid, durability }) => `, process ${pid} (${durability})`).join('')}`,
    `sessions      ${sessions}, ${openSessions} of them open`,
    `subscriptions ${subscriptions}, ${groups} shared groups`,
    `queued        ${queued.messages} messages, ${queued.bytes} bytes`,
    `retained      ${retained.messages} messages, ${retained.bytes} bytes`,
    `wills         ${wills}`,
    ...longestQueues.map(
      ({ clientId, messages }) => `queue         ${messages} messages of ${JSON.stringify(clientId)}`,
    ),
    ...(unexplained.length === 0 ? ['unexplained   nothing'] : unexplained.map(text => `unexplained   ${text}`)),
  ]
}

function linesOfClient({ clientId, isOpen, sessionExpiryInterval, expiresAt, subscriptions, queue }: ClientSummary) {
  const end = expiresAt === undefined ? '' : `, ends ${new Date(expiresAt).toISOString()}`
  const interval = sessionExpiryInterval === SESSION_NEVER_EXPIRES ? 'never ends' : `${sessionExpiryInterval} s`
  return [
    `${JSON.stringify(clientId)}: ${isOpen ? 'open' : 'closed'}, ${interval}${end}`,
    ...subscriptions.map(({ filter, qos }) => `subscription  ${JSON.stringify(filter)} QoS ${qos}`),
    ...queue.map(
      ({ sequence, topic, qos, bytes, state }) =>
        `queued ${sequence}  ${JSON.stringify(topic)} QoS ${qos}, ${bytes} bytes, ${state}`,
    ),
  ]
}

/** Waits while the reader takes no more. */
async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}
