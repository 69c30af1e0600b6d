import { expect, onTestFinished, test } from 'vitest'
import { readConnack, readReason } from '../../broker-core/test/support/frame.ts'
import { property } from '../../broker-core/test/support/property.ts'
import { RawClient } from '../../broker-core/test/support/raw-client.ts'
import { auth, connect } from '../../broker-core/test/support/wire.ts'
import { ScramSha256, makeCredentials } from '../examples/scram-sha-256.ts'
import { createBroker } from '../src/index.ts'
import { begin, expectRefused, first, method, prove, said, saying, signIn } from './scram-client.ts'

/** Users of every test, with few iterations so that the client's side, which counts them one by one, is quick. */
const passwords = { user: 'pencil', 'a,b=c': 'Ünïcode', other: 'rubber' } as const
/** RFC 7677 §3 */
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const iterations = 4096
const credentials = new Map(
  await Promise.all(
    Object.entries(passwords).map(
      async ([name, password]) => [name, await makeCredentials(password, { salt, iterations })] as const,
    ),
  ),
)

const findCredentials = (name: string) => Promise.resolve(credentials.get(name))

async function start(makeNonce?: () => string): Promise<{ port: number; users: (string | undefined)[] }> {
  const scram = new ScramSha256({ findCredentials, ...(makeNonce && { makeNonce }) })
  const broker = createBroker({ authenticateEnhanced: scram.authenticateEnhanced, authenticate: () => false })
  onTestFinished(() => broker.close())
  const users: (string | undefined)[] = []
  broker.on('clientReady', client => users.push(scram.userOf(client)))
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  return { port: port ?? 0, users }
}

test('speaks the example of RFC 7677 to the letter', async () => {
  const { port, users } = await start(() => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0')
  const client = await RawClient.open(port)
  const challenge = await begin(client, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  expect(challenge).toBe('r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096')
  const final =
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
  client.send(auth(0x18, saying(final)))
  const connack = readConnack(await client.next('connack'), 5)
  expect([connack.reasonCode, said(connack.properties)]).toEqual([0, 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='])
  await client.ping()
  expect(users).toEqual(['user'])
})

test('lets in who knows the password, and proves that the server knows the user', async () => {
  const { port } = await start()
  const { client } = await signIn(port)
  await client.ping()
})

test('refuses a wrong password', async () => {
  const { port, users } = await start()
  const client = await RawClient.open(port)
  const challenge = await begin(client, `n,,${first}`)
  client.send(auth(0x18, saying(prove('pencil2', first, challenge).final)))
  await expectRefused(client)
  expect(users).toEqual([])
})

test('asks an unknown user as if there were one, always with the same salt, and refuses every proof', async () => {
  const { port } = await start()
  const salts = new Set<string | undefined>()
  for (const bare of ['n=nobody,r=one', 'n=nobody,r=two']) {
    const client = await RawClient.open(port)
    const challenge = await begin(client, `n,,${bare}`)
    salts.add(challenge.split(',')[1])
    client.send(auth(0x18, saying(prove('', bare, challenge).final)))
    await expectRefused(client)
  }
  expect(salts.size).toBe(1)
})

test('refuses a final message that was heard on another connection, and one that only its nonce is taken from', async () => {
  const { port } = await start()
  const heard = await signIn(port)
  const replay = await RawClient.open(port)
  expect(await begin(replay, `n,,${first}`)).not.toBe(heard.challenge)
  replay.send(auth(0x18, saying(heard.final)))
  await expectRefused(replay)

  // The password is right and the proof fits, but not the nonce.
  const stale = await RawClient.open(port)
  const challenge = await begin(stale, `n,,${first}`)
  const [nonce = ''] = heard.challenge.split(',')
  stale.send(auth(0x18, saying(prove('pencil', first, challenge, `c=biws,${nonce}`).final)))
  await expectRefused(stale)
  await heard.client.ping()
})

test('authenticates a connected client again, as often as it likes', async () => {
  const { port } = await start()
  const { client } = await signIn(port)
  for (const nonce of ['r=again', 'r=andAgain']) {
    const bare = `n=user,${nonce}`
    const { final, verifier } = prove('pencil', bare, await begin(client, `n,,${bare}`, true))
    await client.ping()
    client.send(auth(0x18, saying(final)))
    const { reasonCode, properties } = readReason(await client.next('auth'), 'auth')
    expect([reasonCode, said(properties)]).toEqual([0, verifier])
  }
  await client.ping()
})

test('closes a client that authenticates again with a wrong password, with what it said before, or as somebody else', async () => {
  const { port } = await start()
  const wrong = await signIn(port)
  const challenge = await begin(wrong.client, `n,,${first}`, true)
  wrong.client.send(auth(0x18, saying(prove('wrong', first, challenge).final)))
  await wrong.client.closedWith(0x87)

  const replay = await signIn(port)
  await begin(replay.client, `n,,${first}`, true)
  replay.client.send(auth(0x18, saying(replay.final)))
  await replay.client.closedWith(0x87)

  const changed = await signIn(port)
  const bare = 'n=other,r=else'
  const { final } = prove('rubber', bare, await begin(changed.client, `n,,${bare}`, true))
  changed.client.send(auth(0x18, saying(final)))
  await changed.client.closedWith(0x87)
})

test('a client that could bind to a channel says so with y, and must repeat it', async () => {
  const { port } = await start()
  const honest = await RawClient.open(port)
  const challenge = await begin(honest, `y,,${first}`)
  const [nonce = ''] = challenge.split(',')
  honest.send(auth(0x18, saying(prove('pencil', first, challenge, `c=eSws,${nonce}`).final)))
  await honest.next('connack')
  await honest.ping()

  const downgraded = await RawClient.open(port)
  const second = await begin(downgraded, `y,,${first}`)
  downgraded.send(auth(0x18, saying(prove('pencil', first, second).final)))
  await expectRefused(downgraded)
})

test('a name with comma and equals sign, an identity of that name, and a password beyond ASCII', async () => {
  const { port, users } = await start()
  const header = 'n,a=a=2Cb=3Dc,'
  const bare = 'n=a=2Cb=3Dc,r=x'
  const client = await RawClient.open(port)
  const challenge = await begin(client, `${header}${bare}`)
  const [nonce = ''] = challenge.split(',')
  const unproved = `c=${Buffer.from(header).toString('base64')},${nonce}`
  client.send(auth(0x18, saying(prove('Ünïcode'.normalize('NFKC'), bare, challenge, unproved).final)))
  expect(readConnack(await client.next('connack'), 5).reasonCode).toBe(0)
  await expect.poll(() => users).toEqual(['a,b=c'])
})

test('keeps the same of a password, however its letters are composed', async () => {
  const [composed, decomposed] = await Promise.all(
    (['NFC', 'NFD'] as const).map(form => makeCredentials('Ünïcode'.normalize(form), { salt, iterations })),
  )
  expect(composed).toEqual(decomposed)
})

test('a client that begins without data is asked for its first message', async () => {
  const { port } = await start()
  const client = await RawClient.open(port)
  client.send(connect({ clientId: 'c', properties: method }))
  const empty = readReason(await client.next('auth'), 'auth')
  expect([empty.reasonCode, said(empty.properties)]).toEqual([0x18, undefined])
  client.send(auth(0x18, saying(`n,,${first}`)))
  const challenge = said(readReason(await client.next('auth'), 'auth').properties) ?? ''
  client.send(auth(0x18, saying(prove('pencil', first, challenge).final)))
  expect(readConnack(await client.next('connack'), 5).reasonCode).toBe(0)
})

test('refuses what is no first message: channel binding, extensions it must know, another identity, bad names', async () => {
  const { port } = await start()
  const messages = [
    `p=tls-unique,,${first}`,
    `n,,m=must,${first}`,
    `n,a=other,${first}`,
    'n,,n=us=er,r=x',
    'n,,n=,r=x',
    'n,,n=user,r=',
    'n,,n=user',
    'hello',
    '',
  ]
  for (const message of messages) {
    const client = await RawClient.open(port)
    client.send(connect({ clientId: 'c', properties: saying(message) }))
    await expectRefused(client)
  }
})

test('refuses what is no final message', async () => {
  const { port } = await start()
  for (const change of [
    (final: string) => final.slice(0, -1),
    (final: string) => `x,${final}`,
    (final: string) => final.replace(/,p=.*/, ''),
    () => '',
  ]) {
    const client = await RawClient.open(port)
    const { final } = prove('pencil', first, await begin(client, `n,,${first}`))
    client.send(auth(0x18, saying(change(final))))
    await expectRefused(client)
  }
})

test('refuses another method with 0x8C, and who names none', async () => {
  const { port } = await start()
  const other = await RawClient.open(port)
  const connack = await other.connect({ properties: property.authenticationMethod('SCRAM-SHA-1') })
  expect(connack.reasonCode).toBe(0x8c)
  const plain = await RawClient.open(port)
  expect((await plain.connect({ username: 'user', password: 'pencil' })).reasonCode).toBe(0x87)
})
