import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { isAnyHost, isSocketPath } from './mesh-address.ts'
import type { MeshAddress } from './mesh-address.ts'
import { fieldsOf, frameType, writeFrame, writeJson } from './mesh-frame.ts'
import type { Frame } from './mesh-frame.ts'
import { invalid, MeshError } from './mesh-error.ts'
import type { MeshErrorCode } from './mesh-error.ts'

const protocol = 'x-mesh'
/** A release that changes frames takes the next number. */
const version = 1
const nonceBytes = 32
const longestName = 1024

/** What a broker shows of itself in a handshake. */
export interface HandshakeHost {
  /** This broker's life. */
  readonly instance: string
  readonly secret: string | undefined
}

/** What who is called says first. */
export interface Greeting {
  readonly instance: string
  readonly nonce: string
}

/** What who calls says of itself. */
export interface Hello {
  readonly instance: string
  /** Names the row of numbered frames that it sends. */
  readonly stream: string
  /** Where it is reached: a path, or a port with the host that it is seen at unless it says another. */
  readonly path: string | undefined
  readonly host: string | undefined
  readonly port: number | undefined
}

/** What who is called answers. */
export interface Welcome {
  /** Whether that row is known; if so, the last number of it that has come. */
  readonly isKnown: boolean
  readonly received: number
}

/** A random value that a peer has to prove its secret with. */
export function makeNonce(): string {
  return randomBytes(nonceBytes).toString('hex')
}

/** The frame with which the broker that was called begins. */
export function writeGreeting({ instance, secret }: HandshakeHost, nonce: string): Buffer {
  const isSecret = secret !== undefined
  return writeFrame(frameType.greeting, [writeJson({ protocol, version, instance, nonce, secret: isSecret })])
}

/** @throws MeshError `PEER_INVALID`, `PEER_VERSION`, `PEER_SECRET` */
export function readGreeting(frame: Frame, { secret }: HandshakeHost): Greeting {
  const fields = openingFields(frame, frameType.greeting)
  if (fields['secret'] === true && secret === undefined) {
    throw secretError('it asks for a secret, and this broker has none')
  }
  if (fields['secret'] !== true && secret !== undefined) throw secretError('it has no secret, and this broker has one')
  return { instance: name(fields, 'instance'), nonce: name(fields, 'nonce') }
}

/** The frame with which the caller says who it is. */
export function writeHello(
  host: HandshakeHost,
  greeting: Greeting,
  hello: Omit<Hello, 'instance'> & { readonly nonce: string },
): Buffer {
  const { instance } = host
  const proof = proofOf(host, 'caller', { greeting, nonce: hello.nonce, caller: instance })
  return writeFrame(frameType.hello, [writeJson({ protocol, version, instance, ...hello, proof })])
}

/** @throws MeshError `PEER_INVALID`, `PEER_VERSION`, `PEER_SECRET` */
export function readHello(frame: Frame, host: HandshakeHost, ownNonce: string): { hello: Hello; nonce: string } {
  const fields = openingFields(frame, frameType.hello)
  const nonce = name(fields, 'nonce')
  const instance = name(fields, 'instance')
  const greeting = { instance: host.instance, nonce: ownNonce }
  checkProof(fields['proof'], proofOf(host, 'caller', { greeting, nonce, caller: instance }))
  const { path, host: given, port } = fields
  return {
    nonce,
    hello: {
      instance,
      stream: name(fields, 'stream'),
      path: typeof path === 'string' && isSocketPath(path) ? path : undefined,
      host: typeof given === 'string' && given.length <= longestName ? given : undefined,
      port: Number.isInteger(port) && Number(port) > 0 && Number(port) <= 65_535 ? Number(port) : undefined,
    },
  }
}

/** The frame with which the broker that was called accepts the caller. */
export function writeWelcome(
  host: HandshakeHost,
  { ownNonce, nonce, caller }: { readonly ownNonce: string; readonly nonce: string; readonly caller: string },
  welcome: Welcome,
): Buffer {
  const greeting = { instance: host.instance, nonce: ownNonce }
  const proof = proofOf(host, 'called', { greeting, nonce, caller })
  return writeFrame(frameType.welcome, [writeJson({ ...welcome, proof })])
}

/** @throws MeshError `PEER_INVALID`, `PEER_SECRET` */
export function readWelcome(frame: Frame, host: HandshakeHost, said: { greeting: Greeting; nonce: string }): Welcome {
  if (frame.type !== frameType.welcome) throw invalid(`a frame of type ${frame.type} came in place of a welcome`)
  const fields = fieldsOf(frame.body)
  checkProof(fields['proof'], proofOf(host, 'called', { ...said, caller: host.instance }))
  const { received } = fields
  if (!Number.isSafeInteger(received)) throw invalid('a welcome has no number')
  return { isKnown: fields['isKnown'] === true, received: Number(received) }
}

/** The frame with which a broker refuses the other one. */
export function writeRefusal({ code, message }: MeshError): Buffer {
  return writeFrame(frameType.refusal, [writeJson({ code, message })])
}

/** Where who calls is reached; undefined: it has not said.
 * @param from the host that it is seen at; undefined: this machine */
export function addressOf({ path, host, port }: Hello, from: string | undefined): MeshAddress | undefined {
  if (from === undefined) return path === undefined ? undefined : { kind: 'unix', path }
  return port === undefined ? undefined : { kind: 'tcp', host: host ?? from, port }
}

/** What this broker says of where it is reached.
 * @param own where it listens; undefined: not yet
 * @param advertise the address that was configured for others */
export function reachedAt(
  own: MeshAddress | undefined,
  advertise: MeshAddress | undefined,
): Pick<Hello, 'path' | 'host' | 'port'> {
  if (own?.kind === 'unix') return { path: own.path, host: undefined, port: undefined }
  if (advertise?.kind === 'tcp') return { path: undefined, host: advertise.host, port: advertise.port }
  const host = own === undefined || isAnyHost(own.host) ? undefined : own.host
  return { path: undefined, host, port: own?.port }
}

/** What codes a peer may refuse with. */
const refusals: ReadonlySet<unknown> = new Set<MeshErrorCode>(['PEER_VERSION', 'PEER_SECRET', 'PEER_LIMIT'])

/** The reason that a peer gives; undefined: the frame is no refusal. */
export function readRefusal(frame: Frame): MeshError | undefined {
  if (frame.type !== frameType.refusal) return undefined
  const { code, message } = fieldsOf(frame.body)
  const known = refusals.has(code) ? (code as MeshErrorCode) : 'PEER_INVALID'
  return new MeshError(known, { message: `it refuses: ${String(message).slice(0, longestName)}` })
}

function openingFields(frame: Frame, type: number): Readonly<Record<string, unknown>> {
  if (frame.type !== type) throw invalid(`it speaks another protocol, or sends a frame of type ${frame.type} first`)
  const fields = fieldsOf(frame.body)
  if (fields['protocol'] !== protocol) throw invalid('it speaks another protocol')
  if (fields['version'] !== version) {
    const theirs = String(fields['version']).slice(0, 20)
    throw new MeshError('PEER_VERSION', {
      message: `versions of the protocol differ: ${theirs} there, ${version} here`,
    })
  }
  return fields
}

function name(fields: Readonly<Record<string, unknown>>, field: string): string {
  const value = fields[field]
  if (typeof value === 'string' && value !== '' && value.length <= longestName) return value
  throw invalid(`a frame has no ${field}`)
}

/** Both numbers and both names are in it, so that no proof can be used a second time, or by the other side. Empty without a secret. */
function proofOf(
  { secret }: HandshakeHost,
  side: 'caller' | 'called',
  { greeting, nonce, caller }: { readonly greeting: Greeting; readonly nonce: string; readonly caller: string },
): string {
  if (secret === undefined) return ''
  const said = JSON.stringify([protocol, version, side, greeting.nonce, nonce, greeting.instance, caller])
  return createHmac('sha256', secret).update(said).digest('hex')
}

function checkProof(given: unknown, expected: string): void {
  const [one, other] = [Buffer.from(typeof given === 'string' ? given : ''), Buffer.from(expected)]
  if (one.length !== other.length || !timingSafeEqual(one, other)) throw secretError('secrets differ')
}

function secretError(message: string): MeshError {
  return new MeshError('PEER_SECRET', { message })
}
