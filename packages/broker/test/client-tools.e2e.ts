import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { namesOf } from '../src/client-tools/flags.ts'
import { createBroker, sysTopics } from '../src/index.ts'
import type { Broker } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { commandFile, portOf } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

/** Each case starts processes, which takes a while when other tests have the cores. */
const slow = { timeout: 120_000 }

interface Outcome {
  readonly code: number | null
  readonly out: string
  /** The first line alone: the rest is each program's own. */
  readonly error: string
}

let broker: Broker
let port: number
/** Of a listener where nobody gets in. */
let closedPort: number
let client: MqttClient

beforeAll(async () => {
  broker = createBroker({
    authenticate: ({ listener }) => listener !== 'closed',
    authorizePublish: (_, { topic }) => {
      if (topic === 'forbidden') throw new Error('not here')
    },
    authorizeSubscribe: (_, subscription) => (subscription.topic === 'forbidden' ? null : subscription),
  })
  port = portOf((await broker.listen({ port: 0, host: '127.0.0.1' })).url)
  closedPort = portOf((await broker.listen({ port: 0, host: '127.0.0.1', name: 'closed' })).url)
  client = await connectAsync(`mqtt://127.0.0.1:${port}`)
  for (const [topic, payload] of [
    ['kept/a', '{"a":1}'],
    ['kept/b', 'two "q"'],
  ] as const)
    await client.publishAsync(topic, payload, { qos: 1, retain: true })
})

afterAll(async () => {
  await client.endAsync(true)
  await broker.close()
})

type Tool = 'pub' | 'sub' | 'rr' | 'top' | 'bench'

async function run(file: string, words: readonly string[], input = ''): Promise<Outcome> {
  const child = spawn(file, words)
  onTestFinished(() => void child.kill('SIGKILL'))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [out, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, out, error: error.split('\n')[0] ?? '' }
}

function ours(tool: Tool, words: readonly string[], input = ''): Promise<Outcome> {
  return run(process.execPath, [commandFile, tool, ...words], input)
}

/** Without what differs from run to run: identifiers that the broker gives, packet identifiers of QoS 0, which mean nothing, and,
 * where several messages are under way at a time, the order of their acknowledgements. */
function comparable({ code, out, error }: Outcome, words: readonly string[]): Outcome {
  const lines = out
    .replaceAll(/aedes_[\da-f-]+/g, 'ID')
    .replaceAll(/(q0, r[01]), m\d+/g, '$1')
    .split('\n')
  return { code, error, out: (words.includes('-l') ? lines.toSorted() : lines).join('\n') }
}

const at = (...words: string[]): string[] => ['-h', '127.0.0.1', '-p', 'PORT', ...words]

const cases: readonly (readonly [Tool, string[], string?])[] = [
  ['pub', at('-t', 'a', '-m', 'x', '-q', '1', '-d')],
  ['pub', at('-t', 'a', '-m', 'x', '-q', '2', '-d', '-V', '5')],
  ['pub', at('-t', 'a', '-m', 'x', '-d', '-D', 'publish', 'content-type', 'text')],
  ['pub', at('-t', 'a', '-l', '-q', '1', '-d'), 'one\n\ntwo'],
  ['pub', at('-t', 'a', '-s', '-d'), 'all of it\n'],
  ['pub', at('-t', 'a', '-s'), ''],
  ['pub', at('-t', 'a', '-n', '-r', '-d')],
  ['pub', at('-t', 'a', '-m', 'x', '--repeat', '3', '-d')],
  ['pub', ['-L', 'mqtt://127.0.0.1:PORT/a/b', '-m', 'x', '-d']],
  ['pub', at('-t', 'forbidden', '-m', 'x', '-q', '1', '-V', '5')],
  ['pub', ['-h', '127.0.0.1', '-p', 'CLOSED', '-t', 'a', '-m', 'x']],
  ['pub', ['-h', '127.0.0.1', '-p', 'CLOSED', '-t', 'a', '-m', 'x', '-V', '5']],
  ['pub', ['-h', '127.0.0.1', '-p', '1', '-t', 'a', '-m', 'x']],
  ['pub', ['-h', '127.0.0.1', '-p', '1', '-t', 'a', '-m', 'x', '--quiet']],
  ['pub', ['-h', 'no.such.host.invalid', '-t', 'a', '-m', 'x']],
  ['pub', ['--unix', '/no/such/socket', '-t', 'a', '-m', 'x']],
  ['pub', at('-t', 'a/#', '-m', 'x')],
  ['pub', at('-t', 'a', '-m', 'x', '-q', '3')],
  ['pub', at('-t', 'a', '-m', 'x', '-n')],
  ['pub', at('-t', 'a', '-m')],
  ['pub', at('-t', 'a', '-m', 'x', '--nonsense')],
  ['pub', at('-t', 'a', '-f', '/no/file')],
  ['pub', at('-t', 'a', '-m', 'x', '-D', 'publish', 'nonsense', 'x')],
  ['pub', at('-t', 'a', '-m', 'x', '-D', 'publish', 'server-keep-alive', '3')],
  ['sub', at('-t', 'kept/#', '-C', '2', '-v')],
  ['sub', at('-t', 'kept/#', '-C', '2', '-F', '%t|%p|%q|%r|%l|%x|%X|%%|%m|%10t|%-10t|%.3t|%05l|\\t\\\\\\e')],
  ['sub', at('-t', 'kept/#', '-C', '1', '-N', '-T', 'kept/b')],
  ['sub', at('-t', 'nothing/a', '-t', 'nothing/b', '-q', '2', '-V', '5', '-E', '-d')],
  ['sub', at('-t', 'a', '-U', 'a', '-E')],
  ['sub', at('-t', 'forbidden')],
  ['sub', at('-t', 'nothing', '-W', '1')],
  ['sub', at('-t', 'kept/#', '-R', '-v', '-W', '1')],
  ['sub', ['-h', '127.0.0.1', '-p', 'CLOSED', '-t', 'a']],
  ['sub', at('-t', 'a/#/b')],
  ['sub', at('-t', 'a', '-c')],
  ['sub', at('-t', 'a', '-C', '0')],
  ['sub', at('-t', 'a', '-F', '%Q')],
  ['rr', at('-t', 'nobody', '-e', 'b', '-m', 'x', '-W', '1')],
  ['rr', at('-t', 'nobody', '-m', 'x')],
  ['rr', ['-h', '127.0.0.1', '-p', 'CLOSED', '-t', 'a', '-e', 'b', '-m', 'x']],
]

describe.skipIf(mosquittoMissing() !== undefined)("beside Mosquitto's tools, with the same options", () => {
  test.for(cases)('%s %j: the same output, the same error, the same exit code', slow, async ([tool, words, input]) => {
    const given = words.map(word => word.replace('PORT', String(port)).replace('CLOSED', String(closedPort)))
    const theirs = await run(`mosquitto_${tool}`, given, input)
    expect(comparable(await ours(tool, given, input), words)).toEqual(comparable(theirs, words))
  })

  test('messages as JSON have the same members, with all properties of MQTT 5', slow, async () => {
    const words = ['-h', '127.0.0.1', '-p', String(port), '-V', '5', '-q', '1', '-t', 'json', '-C', '1', '-F']
    const listening = [
      run('mosquitto_sub', [...words, '%j', '-i', 'theirs']),
      ours('sub', [...words, '%j', '-i', 'as text']),
      ours('sub', [...words, '%J', '-i', 'as JSON']),
    ]
    const isSubscribed = (id: string): boolean => 'json' in (broker.clients[id]?.subscriptions ?? {})
    await expect.poll(() => ['theirs', 'as text', 'as JSON'].every(isSubscribed)).toBe(true)
    const properties = [
      ['content-type', 'text'],
      ['correlation-data', 'id'],
      ['payload-format-indicator', '1'],
      ['message-expiry-interval', '600'],
      ['response-topic', 'r'],
      ['user-property', 'k', 'v'],
    ].flatMap(property => ['-D', 'publish', ...property])
    const message = ['-h', '127.0.0.1', '-p', String(port), '-t', 'json', '-m', '{"a":"é"}', '-q', '1']
    expect(await ours('pub', [...message, ...properties])).toEqual({ code: 0, out: '', error: '' })
    const [theirs, asText, asJson] = (await Promise.all(listening)).map(({ out }) => shapeOf(out))
    expect(asText).toEqual(theirs)
    expect(asJson).toEqual({ ...theirs, payload: { a: 'é' } })
  })
})

/** But for the time, and for the interval, which counts down. */
function shapeOf(json: string): object {
  const message = JSON.parse(json) as { tst: string; properties: object }
  const { tst, properties } = message
  return { ...message, tst: tst.replaceAll(/\d/g, '0'), properties: { ...properties, 'message-expiry-interval': 0 } }
}

test('rr prints the response of the other side, which MQTT 5 has told where it goes', slow, async () => {
  await client.subscribeAsync('question')
  const responder = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
  onTestFinished(() => responder.endAsync(true))
  await responder.subscribeAsync('question')
  responder.on('message', (topic, payload, { properties }) => {
    if (topic === 'question') responder.publish(properties?.responseTopic ?? '', `answer to ${String(payload)}`)
  })
  const words = ['-h', '127.0.0.1', '-p', String(port), '-t', 'question', '-e', 'answers', '-m', 'why', '-v']
  expect(await ours('rr', words)).toEqual({ code: 0, out: 'answers answer to why\n', error: '' })
})

test(
  'sub goes on when its connection is lost and the broker is there again, and ends in order at SIGTERM',
  slow,
  async () => {
    const first = createBroker()
    onTestFinished(() => first.close())
    const address = await first.listen({ port: await freePort(), host: '127.0.0.1' })
    const child = spawn(process.execPath, [
      commandFile,
      'sub',
      '-h',
      '127.0.0.1',
      '-p',
      String(address.port),
      '-t',
      'a',
    ])
    onTestFinished(() => void child.kill('SIGKILL'))
    await expect.poll(async () => (await first.counts()).subscriptions).toBe(1)
    await first.close()
    const second = createBroker()
    onTestFinished(() => second.close())
    await second.listen({ port: address.port ?? 0, host: '127.0.0.1' })
    await expect.poll(async () => (await second.counts()).subscriptions).toBe(1)
    const printed = once(child.stdout, 'data')
    await second.publish({ topic: 'a', payload: 'after all' })
    expect(String((await printed)[0])).toBe('after all\n')
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([0, null])
  },
)

test('whoever reads no further ends sub without a word', slow, async () => {
  const words = [commandFile, 'sub', '-h', '127.0.0.1', '-p', String(port), '-t', 'kept/#', '-t', 'more']
  const child = spawn(process.execPath, words)
  onTestFinished(() => void child.kill('SIGKILL'))
  const error = text(child.stderr)
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const ended = once(child, 'close')
  const again = setInterval(() => client.publish('more', 'x'), 100)
  await ended
  clearInterval(again)
  expect(await error).toBe('')
})

test('top shows the numbers of $SYS, and why there are none', slow, async () => {
  const observed = createBroker({ plugins: [sysTopics({ interval: 100 })] })
  onTestFinished(() => observed.close())
  const address = await observed.listen({ port: 0, host: '127.0.0.1', name: 'door' })
  const child = spawn(process.execPath, [commandFile, 'top', '-h', '127.0.0.1', '-p', String(address.port)])
  onTestFinished(() => void child.kill('SIGKILL'))
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    shown += more
  })
  const ended = once(child, 'close')
  await expect.poll(() => shown).toMatch(/^x-broker version .*, up \d[^]*^ {2}door +1$/m)
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  const words = ['-h', '127.0.0.1', '-p', String(closedPort)]
  expect(await ours('top', words)).toEqual({
    code: 5,
    out: '',
    error: 'Connection error: Connection Refused: not authorised.',
  })
})

test.each([0, 1, 2])('bench shows what is sent and received, at QoS %i', slow, async qos => {
  const load = '--publishers 2 --subscribers 2 --size 10 --seconds 1 --inflight 5'
  const words = `-h 127.0.0.1 -p ${port} -q ${qos} ${load}`
  const { code, out, error } = await ours('bench', words.split(' '))
  expect({ code, error }).toEqual({ code: 0, error: '' })
  const lines = out.trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^ {3}1 s {2}sent +[\d ]+\/s {2}received +[\d ]+\/s$/)
  const [, sent = '', received = ''] = /^sent ([\d ]+), received ([\d ]+)$/.exec(lines[2] ?? '') ?? []
  const number = (shown: string): number => Number(shown.replaceAll(' ', ''))
  expect(number(sent)).toBeGreaterThan(0)
  expect(number(received)).toBe(number(sent) * 2)
})

test('bench ends with an error where it can not connect', slow, async () => {
  const words = ['-h', '127.0.0.1', '-p', String(closedPort), '--seconds', '1']
  const { code, error } = await ours('bench', words)
  expect(code).toBe(1)
  expect(error).toMatch(/^Error: bench-\d+-sub-0: CONNECT refused with code 5/)
  expect((await ours('bench', ['--seconds', '0'])).code).toBe(1)
})

const authority = new Authority()
afterAll(() => authority.remove())

describe.skipIf(!authority.works)('with openssl', () => {
  test('over TLS, with the authority and without it', slow, async () => {
    const server = authority.sign('localhost')
    const { url } = await broker.listen({ port: 0, host: '127.0.0.1', tls: server })
    const words = ['-h', 'localhost', '-p', String(portOf(url)), '-t', 'a', '-m', 'x', '-q', '1']
    expect(await ours('pub', [...words, '--cafile', authority.caFile])).toEqual({ code: 0, out: '', error: '' })
    const refused = await ours('pub', [...words, '--tls-use-os-certs'])
    expect(refused).toEqual({ code: 1, out: '', error: 'Unable to connect (A TLS error occurred.).' })
    const other = await broker.listen({
      port: 0,
      host: '127.0.0.1',
      name: 'other',
      tls: authority.sign('other.example'),
    })
    const elsewhere = words.with(3, String(portOf(other.url)))
    expect((await ours('pub', [...elsewhere, '--cafile', authority.caFile])).code).toBe(1)
    expect((await ours('pub', [...elsewhere, '--cafile', authority.caFile, '--insecure'])).code).toBe(0)
  })
})

test('help names every option that there is', async () => {
  for (const tool of ['pub', 'sub', 'rr', 'top', 'bench'] as const) {
    const { code, out } = await ours(tool, ['--help'])
    expect(code).toBe(0)
    for (const names of namesOf(tool))
      expect(
        names.some(name => out.includes(name)),
        `${tool} ${names[0]}`,
      ).toBe(true)
  }
})
