import type { Connection } from './connection.ts'

/** What `decodeProtocol` makes of a chunk that came before a CONNECT was accepted: the bytes that are MQTT. Throws what the hook
 * throws. */
export function decodeProtocol(connection: Connection, chunk: Buffer): Buffer {
  const { client, engine } = connection
  const details = engine.hooks.decodeProtocol?.(client, chunk)
  if (!details) return chunk
  client.connDetails = details
  return details.data ?? chunk
}
