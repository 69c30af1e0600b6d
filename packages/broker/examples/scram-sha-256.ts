/** Passwords without sending them: SCRAM-SHA-256 as an enhanced authentication of MQTT 5. The server keeps no password, the
 * wire carries none, and the client can tell that it talks to a server that knows it.
 *
 * MQTT 5.0 §4.12, RFC 5802, RFC 7677. Without channel binding (so not SCRAM-SHA-256-PLUS).
 *
 *     node --import tsx packages/broker/examples/scram-sha-256.ts */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BrokerError, ReasonCode, createBroker } from '@x/broker'
import type { AuthenticateEnhancedHook, AuthenticationExchange, AuthenticationStep, Client } from '@x/broker'

const keyLength = 32
/** The same for all users: another number would tell that a user exists. */
const defaultIterations = 15_000

/** What the server keeps of a user, in place of the password. RFC 5802 §3 */
export interface ScramCredentials {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** Finds a user's credentials; undefined: there is no such user. */
export type FindCredentials = (username: string) => ScramCredentials | undefined | Promise<ScramCredentials | undefined>

/** Makes what is kept of a password. RFC 7677 §4 asks for at least 4096 iterations; more cost an attacker, and each client once. */
export async function makeCredentials(
  password: string,
  { salt = randomBytes(16), iterations = defaultIterations }: { salt?: Buffer; iterations?: number } = {},
): Promise<ScramCredentials> {
  const salted = await promisify(pbkdf2)(prepared(password), salt, iterations, keyLength, 'sha256')
  return { salt, iterations, storedKey: sha256(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') }
}

/** The challenge that is out, and what it depends on. */
interface Challenge {
  readonly username: string
  readonly credentials: ScramCredentials
  readonly known: boolean
  /** Client's and server's nonce, in one. */
  readonly nonce: string
  /** Base64 of the GS2 header, which the client has to repeat. */
  readonly binding: string
  /** client-first-message-bare and server-first-message. */
  readonly transcript: string
}

interface ScramOptions {
  readonly findCredentials: FindCredentials
  /** The server's part of each nonce; must never come twice. */
  readonly makeNonce?: () => string
}

/** The method `SCRAM-SHA-256` for the `authenticateEnhanced` hook. */
export class ScramSha256 {
  static readonly method = 'SCRAM-SHA-256'
  readonly #findCredentials: FindCredentials
  readonly #makeNonce: () => string
  /** One for each client at most; taken out by the answer, so that none can be answered twice. */
  readonly #challenges = new WeakMap<Client, Challenge>()
  readonly #users = new WeakMap<Client, string>()
  /** Unknown users get a salt of their own too, always the same: the challenge doesn't tell who exists. */
  readonly #decoySecret: Buffer = randomBytes(keyLength)

  constructor({ findCredentials, makeNonce = () => randomBytes(18).toString('base64') }: ScramOptions) {
    this.#findCredentials = findCredentials
    this.#makeNonce = makeNonce
  }

  /** The hook.
   * @throws BrokerError with the reason code for the client: 0x8C for another method, 0x87 for everything that is wrong */
  readonly authenticateEnhanced: AuthenticateEnhancedHook = (client, exchange) => this.#proceed(client, exchange)

  /** Who has authenticated on this connection; undefined before that. */
  userOf(client: Client): string | undefined {
    return this.#users.get(client)
  }

  #proceed(
    client: Client,
    { method, data, step }: AuthenticationExchange,
  ): AuthenticationStep | Promise<AuthenticationStep> {
    if (method !== ScramSha256.method) {
      throw new BrokerError('AUTHENTICATION_METHOD', {
        message: `authentication method '${method}' is not supported, only ${ScramSha256.method}`,
        reasonCode: ReasonCode.badAuthenticationMethod,
      })
    }
    const challenge = step === 'continue' ? this.#challenges.get(client) : undefined
    this.#challenges.delete(client)
    if (challenge !== undefined) return this.#conclude(client, challenge, textOf(data))
    // A client that begins without data is asked to go ahead with an empty challenge. RFC 4422 §5
    return data === undefined ? { done: false } : this.#challenge(client, textOf(data))
  }

  /** client-first-message is answered with server-first-message. RFC 5802 §7 */
  async #challenge(client: Client, message: string): Promise<AuthenticationStep> {
    const [binding = '', identity = '', ...bare] = message.split(',')
    // n: the client knows no channel binding; y: it does, and thinks that we don't. p, which asks for it, is refused.
    if (binding !== 'n' && binding !== 'y') throw refused()
    const username = usernameFrom(valueOf('n', bare[0]))
    // To act for somebody else is not offered.
    if (identity !== '' && usernameFrom(valueOf('a', identity)) !== username) throw refused()
    const clientNonce = valueOf('r', bare[1])
    if (!Buffer.from(clientNonce).every(byte => byte > 0x20 && byte < 0x7f)) throw refused()
    const found = await this.#findCredentials(username)
    const credentials = found ?? this.#decoy(username)
    const nonce = clientNonce + this.#makeNonce()
    const answer = `r=${nonce},s=${credentials.salt.toString('base64')},i=${credentials.iterations}`
    this.#challenges.set(client, {
      username,
      credentials,
      known: found !== undefined,
      nonce,
      binding: Buffer.from(`${binding},${identity},`).toString('base64'),
      transcript: `${bare.join(',')},${answer}`,
    })
    return { done: false, data: Buffer.from(answer) }
  }

  /** client-final-message is answered with server-final-message, if its proof is right. RFC 5802 §3 */
  #conclude(client: Client, challenge: Challenge, message: string): AuthenticationStep {
    const fields = message.split(',')
    const encoded = valueOf('p', fields.pop())
    const proof = Buffer.from(encoded, 'base64')
    const { username, credentials, known, transcript } = challenge
    const authMessage = `${transcript},${fields.join(',')}`
    const signature = hmac(credentials.storedKey, authMessage)
    if (proof.length !== signature.length || proof.toString('base64') !== encoded) throw refused()
    const clientKey = proof.map((byte, index) => byte ^ (signature[index] ?? 0))
    const proved = timingSafeEqual(sha256(clientKey), credentials.storedKey)
    const fresh = valueOf('c', fields[0]) === challenge.binding && valueOf('r', fields[1]) === challenge.nonce
    if (!proved || !known || !fresh) throw refused()
    // A connection stays with the user it was accepted for.
    if ((this.#users.get(client) ?? username) !== username) throw refused()
    this.#users.set(client, username)
    return { done: true, data: Buffer.from(`v=${hmac(credentials.serverKey, authMessage).toString('base64')}`) }
  }

  #decoy(username: string): ScramCredentials {
    const salt = hmac(this.#decoySecret, username).subarray(0, 16)
    return { salt, iterations: defaultIterations, storedKey: randomBytes(keyLength), serverKey: randomBytes(keyLength) }
  }
}

function sha256(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest()
}

function hmac(key: Buffer, content: string): Buffer {
  return createHmac('sha256', key).update(content).digest()
}

/** Of SASLprep (RFC 4013) the normalisation, which is what differs between keyboards; its prohibited characters pass. */
function prepared(value: string): string {
  return value.normalize('NFKC')
}

function textOf(data?: Buffer): string {
  const text = data?.toString() ?? ''
  if (data === undefined || !Buffer.from(text).equals(data)) throw refused()
  return text
}

/** What stands behind `name=`, which must not be nothing. */
function valueOf(name: string, field: string | undefined): string {
  if (field === undefined || !field.startsWith(`${name}=`) || field.length === 2) throw refused()
  return field.slice(2)
}

/** A saslname: `=2C` is a comma, `=3D` an equals sign, and no other = is allowed. RFC 5802 §5.1 */
function usernameFrom(saslname: string): string {
  const [start = '', ...escaped] = saslname.split('=')
  if (!escaped.every(part => part.startsWith('2C') || part.startsWith('3D'))) throw refused()
  return prepared(start + escaped.map(part => (part.startsWith('2C') ? ',' : '=') + part.slice(2)).join(''))
}

/** One sentence for everything that is wrong: clients are told it, and must not learn whether the user exists. */
function refused(): BrokerError {
  return new BrokerError('NOT_AUTHENTICATED', {
    message: `${ScramSha256.method} authentication failed`,
    reasonCode: ReasonCode.notAuthorized,
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const users = new Map([['ada', await makeCredentials('correct horse battery staple')]])
  const scram = new ScramSha256({ findCredentials: username => users.get(username) })
  const broker = createBroker({
    authenticateEnhanced: scram.authenticateEnhanced,
    // Without an Authentication Method nobody gets in.
    authenticate: () => false,
  })
  broker.on('clientReady', client => console.log(`${client.id} is ${scram.userOf(client)}`))
  const { url } = await broker.listen({ port: Number(process.env['PORT'] ?? 1883), host: '127.0.0.1' })
  console.log(`listening on ${url}`)
}
