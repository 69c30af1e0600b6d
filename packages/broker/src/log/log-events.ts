import type { Socket } from 'node:net'
import { printable, sentenceOf } from '@x/broker-core'
import type { Broker, Client, ConnectionOrigin, DisconnectReason } from '@x/broker-core'
import { systemClock } from '@x/contract'
import type { Counters, Drop, Logger } from '@x/contract'
import { RepeatedLines } from './repeated-lines.ts'
import { SampledLines } from './sampled-lines.ts'
import type { SamplingHost } from './sampled-lines.ts'
import { shownError } from './shown-error.ts'
import { shownIdentifier } from './shown-name.ts'

/** A broker whose log has a limit. */
interface LoggedBroker extends Broker {
  /** Lines of each kind in a second. */
  readonly maximumLogRate: number
}

const reasonTexts: Readonly<Record<DisconnectReason, string>> = {
  disconnect: 'it said DISCONNECT',
  cut: 'its connection was cut',
  keepAlive: 'nothing came within its keep-alive',
  takeOver: 'its identifier was taken over by another connection',
  refusal: 'an error ended it',
  kick: 'the program closed it',
  shutdown: 'the broker closes',
}

/** Logs who comes, who goes, and what goes wrong. What has come from the wire is cut and made printable, and what repeats, or comes in a
 * storm, is summed up. */
export function logEvents(broker: LoggedBroker, logger: Logger): void {
  // Counted for people as the engine counts, where they look for it.
  const counters: Counters = broker.counters
  const host: SamplingHost = {
    logger,
    clock: broker.opts.clock ?? systemClock,
    get mostLines() {
      return broker.maximumLogRate
    },
    summedUp: count => {
      counters.logLinesSummedUp += count
    },
  }
  const repeated = new RepeatedLines(host)
  const [came, went] = [new SampledLines(host, 'clients connected'), new SampledLines(host, 'clients disconnected')]
  logClients(broker, logger, { came, went })
  logTroubles(broker, repeated)
  broker.on('closed', () => {
    for (const lines of [came, went, repeated]) lines.flush()
  })
}

function logClients(
  broker: Broker,
  logger: Logger,
  { came, went }: Readonly<Record<'came' | 'went', SampledLines>>,
): void {
  broker.on('clientReady', (client: Client) => {
    if (!isLogged(logger, 'info') || !came.takes()) return
    const { version, keepalive, clean, listener } = client
    const id = shownIdentifier(client.id)
    const fields = { client: id, address: addressOf(client), listener, version, keepalive, clean }
    logger.info(fields, `client ${id} connected`)
  })
  broker.on('clientDisconnect', (client: Client, reason: DisconnectReason) => {
    if (!isLogged(logger, 'info') || !went.takes()) return
    const id = shownIdentifier(client.id)
    logger.info({ client: id, address: addressOf(client), reason }, `client ${id} disconnected: ${reasonTexts[reason]}`)
  })
}

function logTroubles(broker: Broker, lines: RepeatedLines): void {
  broker.on('clientError', (client: Client, error: Error) => {
    const id = shownIdentifier(client.id)
    const codes = codesOf(error)
    const fields = { client: id, address: addressOf(client), ...codes }
    lines.add({ ...sourceOf(`client ${id}`, codes), fields, text: `client ${id}: ${shownSentence(error)}` })
  })
  broker.on('connectionError', (client: Client, error: Error) => {
    const { remoteAddress } = client.conn as Partial<Socket>
    const codes = codesOf(error)
    const fields = { address: addressOf(client), ...codes }
    const source = sourceOf(client.connDetails?.ipAddress ?? remoteAddress ?? '', codes)
    lines.add({ ...source, fields, text: `connection refused: ${shownSentence(error)}` })
  })
  broker.on('connectionRefused', (error: Error, { listener, remoteAddress, remotePort }: ConnectionOrigin) => {
    const codes = codesOf(error)
    const fields = { listener, address: shownAddress(remoteAddress, remotePort), ...codes }
    const source = sourceOf(`${listener} ${remoteAddress ?? ''}`, codes)
    lines.add({ ...source, fields, text: `connection refused: ${shownSentence(error)}` })
  })
  broker.on('dropped', (drop: Drop) => {
    const { reason, count } = drop
    const queue = shownIdentifier(drop.queue)
    const text = `${count} message(s) for ${queue} dropped: ${reason}`
    const source = { level: 'warn', source: `queue ${queue} ${reason}`, kind: `dropped: ${reason}` } as const
    lines.add({ ...source, fields: { ...drop, queue }, text, weight: count })
  })
  broker.on('error', (error: Error) => {
    const text = shownSentence(error)
    const kind = String(codesOf(error).code ?? error.name)
    lines.add({ level: 'error', source: text, kind, fields: { err: shownError(error), ...codesOf(error) }, text })
  })
}

type Codes = ReturnType<typeof codesOf>

function sourceOf(who: string, { code }: Codes): { level: 'warn'; source: string; kind: string } {
  const kind = String(code ?? 'errors')
  return { level: 'warn', source: `${who} ${kind}`, kind }
}

/** Asked where it may happen thousands of times a second: an address alone is a system call. */
function isLogged(logger: Logger, level: 'info'): boolean {
  return logger.isLevelEnabled === undefined || logger.isLevelEnabled(level)
}

function codesOf(error: Error): { code?: string | number; reasonCode?: number } {
  const { code, reasonCode } = error as { readonly code?: unknown; readonly reasonCode?: unknown }
  return {
    ...(typeof code === 'string' && { code: printable(code) }),
    ...(typeof code === 'number' && { code }),
    ...(typeof reasonCode === 'number' && { reasonCode }),
  }
}

function shownSentence(error: Error): string {
  return printable(sentenceOf(error))
}

/** What a proxy said of the client comes before what its own address is. */
function addressOf(client: Client): string | undefined {
  const { remoteAddress, remotePort } = client.conn as Partial<Socket>
  const { ipAddress, port } = client.connDetails ?? {}
  return ipAddress === undefined ? shownAddress(remoteAddress, remotePort) : shownAddress(printable(ipAddress), port)
}

function shownAddress(address: string | undefined, port: number | undefined): string | undefined {
  if (address === undefined) return undefined
  // An IPv4 peer of a socket for both is shown as what it is.
  const plain = address.replace(/^::ffff:/, '')
  return port === undefined ? plain : `${plain}:${port}`
}
