// The client's side of SCRAM-SHA-256, written from RFC 5802 §3 and RFC 7677 §3, and its exchange over MQTT.
import { createHash, createHmac } from 'node:crypto'
import type { BinaryLike } from 'node:crypto'
import { expect } from 'vitest'
import { readConnack, readReason } from '../../broker-core/test/support/frame.ts'
import type { PropertyList } from '../../broker-core/test/support/property.ts'
import { PropertyId, property, propertyValue } from '../../broker-core/test/support/property.ts'
import { RawClient } from '../../broker-core/test/support/raw-client.ts'
import { auth, connect } from '../../broker-core/test/support/wire.ts'

const hmac = (key: string | Uint8Array, content: BinaryLike): Buffer =>
  createHmac('sha256', key).update(content).digest()
const xor = (one: Buffer, two: Buffer): Buffer => Buffer.from(one.map((byte, index) => byte ^ (two[index] ?? 0)))

function hi(password: string, saltOfUser: Buffer, count: number): Buffer {
  let step = hmac(password, Buffer.concat([saltOfUser, Buffer.of(0, 0, 0, 1)]))
  let result = step
  for (let index = 1; index < count; index += 1) {
    step = hmac(password, step)
    result = xor(result, step)
  }
  return result
}

interface Proof {
  readonly final: string
  /** What the server must answer. */
  readonly verifier: string
}

/** client-final-message for a challenge. */
export function prove(password: string, firstBare: string, challenge: string, unproved?: string): Proof {
  const [nonce = '', saltField = '', iterationsField = ''] = challenge.split(',')
  const salted = hi(password, Buffer.from(saltField.slice(2), 'base64'), Number(iterationsField.slice(2)))
  const clientKey = hmac(salted, 'Client Key')
  const unprovedFinal = unproved ?? `c=biws,${nonce}`
  const message = `${firstBare},${challenge},${unprovedFinal}`
  const proof = xor(clientKey, hmac(createHash('sha256').update(clientKey).digest(), message))
  return {
    final: `${unprovedFinal},p=${proof.toString('base64')}`,
    verifier: `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`,
  }
}

export const method = property.authenticationMethod('SCRAM-SHA-256')
export const saying = (text: string): readonly number[] => [...method, ...property.authenticationData(text)]
export const said = (properties: PropertyList): string | undefined =>
  propertyValue(properties, PropertyId.authenticationData)?.toString()

export const first = 'n=user,r=fyko+d2lbbFgONRv9qkxdawL'

/** Sends a first message, in CONNECT or as re-authentication, and takes the challenge. */
export async function begin(client: RawClient, message: string, again = false): Promise<string> {
  client.send(again ? auth(0x19, saying(message)) : connect({ clientId: 'c', properties: saying(message) }))
  const { reasonCode, properties } = readReason(await client.next('auth'), 'auth')
  expect(reasonCode).toBe(0x18)
  return said(properties) ?? ''
}

export async function expectRefused(client: RawClient): Promise<void> {
  const frames = await client.closed()
  expect(frames.map(frame => readConnack(frame, 5).reasonCode)).toEqual([0x87])
}

/** A connected client, and the messages that let it in. */
export async function signIn(
  port: number,
  user = { name: 'user', password: 'pencil' },
): Promise<{ client: RawClient; challenge: string; final: string }> {
  const client = await RawClient.open(port)
  const bare = first.replace('user', user.name)
  const challenge = await begin(client, `n,,${bare}`)
  const { final, verifier } = prove(user.password, bare, challenge)
  client.send(auth(0x18, saying(final)))
  const connack = readConnack(await client.next('connack'), 5)
  expect([connack.reasonCode, said(connack.properties)]).toEqual([0, verifier])
  return { client, challenge, final }
}
