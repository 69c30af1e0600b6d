import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { shownOption } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Client } from '../hooks/client.ts'
import type { ClientConnection } from './client-connection.ts'

const connectionKey: unique symbol = Symbol('connection')
const writtenKey: unique symbol = Symbol('written')

/** A stream with a connection. All streams share their listeners, so a connection needs no closures. */
export interface HandledStream extends Duplex {
  [connectionKey]?: ClientConnection
  /** Chunks of this turn, from a stream whose other end is in this process. */
  [writtenKey]?: Buffer[] | undefined
  client?: Client
}

/** Gives the stream its connection, whose client becomes `stream.client`. */
export function attachConnection(stream: HandledStream, connection: ClientConnection): void {
  stream[connectionKey] = connection
  stream.client = connection.client
}

/** The connection of a stream; undefined when it has none. */
export function connectionOf(stream: HandledStream | undefined): ClientConnection | undefined {
  return stream?.[connectionKey]
}

/** Listens to a stream with a connection. */
export function listenTo(stream: Duplex, { profile, readsOwnBytes }: ClientConnection): void {
  // The outbox gathers what is sent in a turn. What is sent in the next one would wait 40 ms for the client's delayed acknowledgement.
  if (stream instanceof Socket && profile === undefined) stream.setNoDelay(true)
  stream.on('data', readsOwnBytes ? onData : onDataOfProgram)
  stream.on('drain', onDrain)
  stream.on('end', onEnd)
  stream.on('error', onError)
  stream.on('close', onClose)
}

/** @throws BrokerError `STREAM_INVALID` for what can't be read and written, whatever a program without types hands over */
export function assertStream(stream: unknown): void {
  const methods = typeof stream === 'object' && stream !== null ? (stream as Readonly<Record<string, unknown>>) : {}
  const missing = ['on', 'pause', 'resume', 'write', 'end', 'destroy'].filter(
    name => typeof methods[name] !== 'function',
  )
  if (missing.length > 0) throw streamInvalid(`handle() got ${shownOption(stream)}, without ${missing.join('(), ')}()`)
}

function streamInvalid(fault: string): BrokerError {
  const message = `${fault}: it must be a Duplex that brings bytes`
  return new BrokerError('STREAM_INVALID', { message, reasonCode: ReasonCode.implementationSpecificError })
}

/** Returns the chunk as bytes. Undefined when the program's stream brings something else, after `setEncoding` perhaps: that ends the
 * connection. */
function bytesOf(stream: HandledStream, chunk: unknown): Buffer | undefined {
  if (Buffer.isBuffer(chunk)) return chunk
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  connectionOf(stream)?.fail(streamInvalid(`the stream has brought ${shownOption(chunk)}`))
  return undefined
}

function onData(this: Duplex, chunk: Buffer): void {
  const bytes = bytesOf(this, chunk)
  const connection = connectionOf(this)
  if (bytes === undefined || connection === undefined) return
  // A program may listen as well, or pipe the stream elsewhere.
  connection.ownsChunk = this.listenerCount('data') === 1
  connection.chunkReceived(bytes)
}

/** A stream made by the program may deliver bytes within the call that writes them at its other end. They take effect after that call,
 * since its caller may add listeners in the next line. */
function onDataOfProgram(this: Duplex, chunk: Buffer): void {
  const stream = this as HandledStream
  const bytes = bytesOf(stream, chunk)
  if (bytes === undefined) return
  if (stream[writtenKey] !== undefined) {
    stream[writtenKey].push(bytes)
    return
  }
  stream[writtenKey] = [bytes]
  process.nextTick(receiveWritten, stream)
}

function receiveWritten(stream: HandledStream): void {
  const chunks = stream[writtenKey]
  if (chunks === undefined) return
  stream[writtenKey] = undefined
  const [first] = chunks
  if (first !== undefined) connectionOf(stream)?.chunkReceived(chunks.length === 1 ? first : Buffer.concat(chunks))
}

function onDrain(this: Duplex): void {
  connectionOf(this)?.outbox.drained()
}

function onEnd(this: Duplex): void {
  receiveWritten(this)
  connectionOf(this)?.streamEnded()
}

function onError(this: Duplex, error: Error): void {
  connectionOf(this)?.streamClosed(error)
  this.destroy()
}

function onClose(this: Duplex): void {
  connectionOf(this)?.streamClosed()
}
