import type { Client } from './client.ts'
import type { NormalisedHooks } from './hooks.ts'

/** Asks the hook `decodeProtocol` about a chunk that came before CONNECT. Returns the bytes that are MQTT. Throws what the hook throws. */
export function decodeProtocol(client: Client, chunk: Buffer, hooks: NormalisedHooks): Buffer {
  const details = hooks.decodeProtocol?.(client, chunk)
  if (!details) return chunk
  client.connDetails = details
  return details.data ?? chunk
}
