import type { Socket } from 'node:net'
import { sentenceOf } from '@x/broker-core'
import type { Broker, Client, ConnectionOrigin } from '@x/broker-core'
import type { Logger } from '@x/contract'

/** Logs who comes, who goes, and what goes wrong. */
export function logEvents(broker: Broker, logger: Logger): void {
  broker.on('clientReady', (client: Client) => {
    if (!isLogged(logger, 'info')) return
    const { id, version, keepalive, clean } = client
    const { listener } = client
    const fields = { client: id, address: addressOf(client), listener, version, keepalive, clean }
    logger.info(fields, `client ${id} connected`)
  })
  broker.on('clientDisconnect', (client: Client) => {
    if (!isLogged(logger, 'info')) return
    logger.info({ client: client.id, address: addressOf(client) }, `client ${client.id} disconnected`)
  })
  broker.on('clientError', (client: Client, error: Error) => {
    const fields = { client: client.id, address: addressOf(client), ...codesOf(error) }
    logger.warn(fields, `client ${client.id}: ${sentenceOf(error)}`)
  })
  broker.on('connectionError', (client: Client, error: Error) => {
    logger.warn({ address: addressOf(client), ...codesOf(error) }, `connection refused: ${sentenceOf(error)}`)
  })
  broker.on('connectionRefused', (error: Error, { listener, remoteAddress, remotePort }: ConnectionOrigin) => {
    const address = shownAddress(remoteAddress, remotePort)
    logger.warn({ listener, address, ...codesOf(error) }, `connection refused: ${sentenceOf(error)}`)
  })
  broker.on('dropped', (drop: { queue: string; reason: string; count: number }) => {
    logger.warn(drop, `${drop.count} message(s) for ${drop.queue} dropped: ${drop.reason}`)
  })
  broker.on('error', (error: Error) => {
    logger.error({ err: error, ...codesOf(error) }, sentenceOf(error))
  })
}

/** Asked where it may happen thousands of times a second: an address alone is a system call. */
function isLogged(logger: Logger, level: 'info'): boolean {
  return logger.isLevelEnabled === undefined || logger.isLevelEnabled(level)
}

function codesOf(error: Error): { code?: unknown; reasonCode?: unknown } {
  return {
    ...('code' in error && { code: error.code }),
    ...('reasonCode' in error && { reasonCode: error.reasonCode }),
  }
}

/** What a proxy said of the client comes before what its own address is. */
function addressOf(client: Client): string | undefined {
  const { remoteAddress, remotePort } = client.conn as Partial<Socket>
  const { ipAddress, port } = client.connDetails ?? {}
  return ipAddress === undefined ? shownAddress(remoteAddress, remotePort) : shownAddress(ipAddress, port)
}

function shownAddress(address: string | undefined, port: number | undefined): string | undefined {
  if (address === undefined) return undefined
  // An IPv4 peer of a socket for both is shown as what it is.
  const plain = address.replace(/^::ffff:/, '')
  return port === undefined ? plain : `${plain}:${port}`
}
