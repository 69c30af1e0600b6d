import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { exchanges } from './mosquitto-5.cases.ts'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { StartedProcess, listeningUrl, portOf, startCommand } from './started-command.ts'

/** Debian's clients against the command, with every option of theirs that concerns MQTT 5. */
const missing = mosquittoMissing()

let command: StartedProcess
let place: readonly string[]

beforeAll(async () => {
  command = startCommand()
  place = ['-h', '127.0.0.1', '-p', `${portOf(await listeningUrl(command))}`, '-V', '5']
})

afterAll(async () => {
  await command.stop('SIGTERM')
})

beforeEach(context => {
  if (missing !== undefined) context.skip(missing)
})

function start(
  file: 'mosquitto_pub' | 'mosquitto_sub' | 'mosquitto_rr',
  parameters: readonly string[],
): StartedProcess {
  const client = new StartedProcess(file, [...place, ...parameters])
  onTestFinished(() => client.stop())
  return client
}

/** Runs to its end, which must be a success; answers what it has printed. */
async function run(file: 'mosquitto_pub' | 'mosquitto_sub', parameters: readonly string[]): Promise<StartedProcess> {
  const client = start(file, parameters)
  const { code } = await client.exited
  if (code !== 0) throw new Error(`${file} ${parameters.join(' ')}: exit code ${code}: ${client.stderr}`)
  return client
}

const shown = '> '
let markers = 0

/** mosquitto_sub whose subscription is in force. `-d` tells of the SUBACK, and of the marker that ends the messages. */
class Subscriber {
  readonly process: StartedProcess
  readonly #marker: string

  private constructor(process: StartedProcess, marker: string) {
    this.process = process
    this.#marker = marker
  }

  static async start(parameters: readonly string[], format = '%p'): Promise<Subscriber> {
    const marker = `marker/${(markers += 1)}`
    const process = start('mosquitto_sub', ['-d', ...parameters, '-t', marker, '-F', `${shown}${format}`])
    await process.line(parameters.includes('-U') ? /received UNSUBACK/ : /^Subscribed/)
    return new Subscriber(process, marker)
  }

  /** A line for each message so far; the subscriber leaves. */
  async lines(): Promise<readonly string[]> {
    await run('mosquitto_pub', ['-q', '2', '-t', this.#marker, '-m', 'end'])
    const end = await this.process.line(new RegExp(`received PUBLISH .*'${this.#marker}'`))
    await this.process.stop('SIGTERM')
    return this.process.lines
      .slice(0, this.process.lines.indexOf(end))
      .filter(line => line.startsWith(shown))
      .map(line => line.slice(shown.length))
  }
}

describe('an exchange', () => {
  test.each(exchanges)('$title', async ({ before = [], subscribe, format, publish = [], lines }) => {
    for (const parameters of before) await run('mosquitto_pub', parameters)
    const subscriber = await Subscriber.start(subscribe, format)
    for (const parameters of publish) await run('mosquitto_pub', parameters)
    const expected = lines.map(line => (typeof line === 'string' ? line : expect.stringMatching(line)))
    expect(await subscriber.lines()).toEqual(expected)
  })
})

describe('CONNECT', () => {
  test('takes all properties that mosquitto_pub can send', async () => {
    const names = ['receive-maximum', 'topic-alias-maximum', 'maximum-packet-size', 'session-expiry-interval']
    const numbers = names.flatMap(name => ['-D', 'connect', name, '1000'])
    const flags = ['request-problem-information', 'request-response-information'].flatMap(name => [
      ...['-D', 'connect', name, '1'],
    ])
    const user = ['-D', 'connect', 'user-property', 'a', 'b', '-D', 'connect', 'user-property', 'a', 'c']
    const client = await run('mosquitto_pub', ['-d', '-i', 'all', '-t', 'x', '-m', 'x', ...numbers, ...flags, ...user])
    expect(client.lines).toContain('Client all received CONNACK (0)')
  })

  test('without a client identifier assigns one, which the client then has', async () => {
    const first = await run('mosquitto_pub', ['-d', '-t', 'x', '-m', 'x'])
    const second = await run('mosquitto_pub', ['-d', '-t', 'x', '-m', 'x'])
    const assigned = [first, second].map(
      ({ lines }) => /^Client (\S+) received CONNACK \(0\)$/.exec(lines[1] ?? '')?.[1],
    )
    expect(assigned[0]).toMatch(/^(?!\(null\)).+/)
    expect(assigned[0]).not.toBe(assigned[1])
  })

  test('with -I has the identifier that the client made', async () => {
    const { lines } = await run('mosquitto_pub', ['-d', '-I', 'prefix-', '-t', 'x', '-m', 'x'])
    expect(lines[1]).toMatch(/^Client prefix-\d+ received CONNACK \(0\)$/)
  })

  test('with an Authentication Method that the broker has no hook for is refused with 0x8C', async () => {
    const method = [
      '-D',
      'connect',
      'authentication-method',
      'SCRAM-SHA-1',
      '-D',
      'connect',
      'authentication-data',
      'x',
    ]
    const client = start('mosquitto_pub', ['-t', 'x', '-m', 'x', ...method])
    expect(await client.exited).toMatchObject({ code: 0x8c })
    expect(client.stderr).toContain('Bad authentication method')
  })

  test('with the identifier of a connected client ends the older connection with 0x8E', async () => {
    const older = await Subscriber.start(['-i', 'twin', '-t', 'x'])
    start('mosquitto_sub', ['-i', 'twin', '-t', 'x'])
    expect(await older.process.line(/DISCONNECT/)).toBe('Received DISCONNECT (142)')
  })
})

describe('a reason', () => {
  const refused = ['-d', '-q', '1', '-t', '$SYS/mine', '-m', 'x']

  test.each([
    { qos: '1', ack: 'PUBACK' },
    { qos: '2', ack: 'PUBREC' },
  ])('$ack says 0x10 when nobody subscribes to the topic, and 0 when somebody does', async ({ qos, ack }) => {
    const parameters = ['-d', '-q', qos, '-t', `reason/${ack}`, '-m', 'x']
    const received = new RegExp(`received ${ack} .*1`)
    const unheard = await run('mosquitto_pub', parameters)
    expect(await unheard.line(received)).toMatch(ack === 'PUBACK' ? /RC:16\)$/ : /PUBREC \(Mid: 1\)$/)
    const subscriber = await Subscriber.start(['-q', '2', '-t', `reason/${ack}`])
    const heard = await run('mosquitto_pub', parameters)
    expect(await heard.line(received)).toMatch(ack === 'PUBACK' ? /RC:0\)$/ : /PUBREC \(Mid: 1\)$/)
    expect(await subscriber.lines()).toEqual(['x'])
  })

  test('of a refused message is told in code and words', async () => {
    const client = await run('mosquitto_pub', refused)
    expect(await client.line(/received PUBACK/)).toMatch(/RC:135\)$/)
    expect(client.stderr).toContain('$SYS/ topic is reserved')
  })

  test('is told without words when Request Problem Information is 0', async () => {
    const client = await run('mosquitto_pub', [...refused, '-D', 'connect', 'request-problem-information', '0'])
    expect(await client.line(/received PUBACK/)).toMatch(/RC:135\)$/)
    expect(client.stderr).not.toContain('reserved')
  })

  test('of a subscription is the granted QoS', async () => {
    const client = await run('mosquitto_sub', ['-d', '-E', '-q', '1', '-t', 'reason/a', '-t', 'reason/b/#'])
    expect(client.lines).toContain('Subscribed (mid: 1): 1, 1')
  })
})

describe('a session', () => {
  /** Opens it with one connection, publishes to it while it is away; answers what the next connection finds. */
  async function awayAndBack(clientId: string, options: readonly string[]): Promise<readonly string[]> {
    const topic = `session/${clientId}`
    await run('mosquitto_sub', ['-i', clientId, '-q', '1', '-t', topic, '-E', ...options])
    await run('mosquitto_pub', ['-q', '1', '-t', topic, '-m', 'while away', '-D', 'publish', 'content-type', 'a'])
    const back = await Subscriber.start(['-i', clientId, '-q', '1', '-t', topic, '-c', '-x', '0'], '%q %p %C')
    return back.lines()
  }

  test.each([
    { name: '-c keeps it for ever', options: ['-c'] },
    { name: '-c with -x keeps it for so many seconds', options: ['-c', '-x', '3600'] },
    { name: '-x -1 keeps it for ever', options: ['-c', '-x', '-1'] },
    { name: '-x ∞ keeps it for ever', options: ['-c', '-x', '∞'] },
    { name: '-x keeps what a clean start has begun', options: ['-x', '3600'] },
    { name: 'the CONNECT property keeps it', options: ['-c', '-D', 'connect', 'session-expiry-interval', '3600'] },
    {
      name: 'the DISCONNECT property shortens it',
      options: ['-c', '-D', 'disconnect', 'session-expiry-interval', '3600'],
    },
  ])('$name', async ({ name, options }) => {
    const clientId = name.replaceAll(/\W+/g, '-')
    expect(await awayAndBack(clientId, options)).toEqual(['1 while away a'])
  })

  test.each([
    { name: 'a clean start alone keeps nothing', options: [] },
    { name: '-x 0 keeps nothing', options: ['-c', '-x', '0'] },
    { name: 'the DISCONNECT property 0 ends it', options: ['-c', '-D', 'disconnect', 'session-expiry-interval', '0'] },
  ])('$name', async ({ name, options }) => {
    const clientId = name.replaceAll(/\W+/g, '-')
    expect(await awayAndBack(clientId, options)).toEqual([])
  })

  test('leaves with a User Property in DISCONNECT', async () => {
    const reason = ['-D', 'disconnect', 'user-property', 'why', 'done']
    const client = await run('mosquitto_pub', ['-d', '-t', 'x', '-m', 'x', ...reason])
    expect(client.lines.at(-1)).toMatch(/sending DISCONNECT$/)
  })
})

describe('a will', () => {
  const format = '%q %r %p C=%C D=%D E=%E F=%F R=%R P=%P'

  /** A subscriber of the will, and a connected client that has it. */
  async function withWill(topic: string, options: readonly string[]): Promise<[Subscriber, StartedProcess]> {
    const watcher = await Subscriber.start(['-q', '2', '-t', topic], format)
    const { process } = await Subscriber.start(['--will-topic', topic, '-t', `${topic}/other`, ...options])
    return [watcher, process]
  }

  test('comes with its payload, QoS and every property when the client dies', async () => {
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', '7'],
      ['message-expiry-interval', '4294967295'],
      ['payload-format-indicator', '1'],
      ['response-topic', 'answers'],
      ['user-property', 'a', '1'],
      ['user-property', 'a', '2'],
    ].flatMap(property => ['-D', 'will', ...property])
    const [watcher, client] = await withWill('will/all', ['--will-payload', 'bye', '--will-qos', '2', ...properties])
    await client.stop('SIGKILL')
    await watcher.process.line(/^> /)
    const line = expect.stringMatching(/^2 0 bye C=text\/plain D=7 E=429496729[45] F=1 R=answers P=a:1 a:2$/)
    expect(await watcher.lines()).toEqual([line])
  })

  test('is retained with --will-retain', async () => {
    const [watcher, client] = await withWill('will/retained', ['--will-payload', 'bye', '--will-retain'])
    await client.stop('SIGKILL')
    await watcher.process.line(/^> 0 0 bye/)
    const later = await Subscriber.start(['-t', 'will/retained'], '%r %p')
    expect(await later.lines()).toEqual(['1 bye'])
  })

  test('does not come when the client leaves with DISCONNECT', async () => {
    const [watcher, client] = await withWill('will/none', ['--will-payload', 'bye'])
    await client.stop('SIGTERM')
    expect(await watcher.lines()).toEqual([])
  })

  test('with a delay comes when the session ends, if that is sooner', async () => {
    const delay = ['-D', 'will', 'will-delay-interval', '3600']
    const [watcher, client] = await withWill('will/session-end', ['--will-payload', 'bye', ...delay])
    await client.stop('SIGKILL')
    expect(await watcher.process.line(/^> /)).toMatch(/^> 0 0 bye/)
  })

  test('with a delay does not come when the client is back in time', async () => {
    const session = ['-i', 'will-back', '-c', '-x', '3600']
    const delay = ['-D', 'will', 'will-delay-interval', '3600']
    const [watcher, client] = await withWill('will/back', ['--will-payload', 'bye', ...session, ...delay])
    await client.stop('SIGKILL')
    await run('mosquitto_sub', [...session, '-x', '0', '-t', 'x', '-E'])
    expect(await watcher.lines()).toEqual([])
  })

  test('with a delay of a second comes after a second', async () => {
    const options = ['--will-payload', 'bye', '-x', '3600', '-D', 'will', 'will-delay-interval', '1']
    const [watcher, client] = await withWill('will/delayed', options)
    const died = performance.now()
    await client.stop('SIGKILL')
    await watcher.process.line(/^> 0 0 bye/)
    expect(performance.now() - died).toBeGreaterThanOrEqual(1000)
  })
})

describe('a shared subscription', () => {
  test('divides messages among its members, each message going to one', async () => {
    const members = await Promise.all(
      [1, 2].map(() => Subscriber.start(['-q', '1', '-t', '$share/group/shared/+'], '%t')),
    )
    for (let index = 10; index < 20; index += 1) {
      await run('mosquitto_pub', ['-q', '1', '-t', `shared/${index}`, '-m', 'x'])
    }
    const received = await Promise.all(members.map(member => member.lines()))
    expect(received.map(lines => lines.length)).toEqual([5, 5])
    expect(received.flat().toSorted()).toEqual(Array.from({ length: 10 }, (_, index) => `shared/${index + 10}`))
  })

  test('gets no retained messages, and every group gets each live one', async () => {
    await run('mosquitto_pub', ['-r', '-q', '1', '-t', 'groups/a', '-m', 'old'])
    const groups = await Promise.all(
      ['one', 'two'].map(group => Subscriber.start(['-q', '1', '-t', `$share/${group}/groups/#`])),
    )
    await run('mosquitto_pub', ['-q', '1', '-t', 'groups/a', '-m', 'live'])
    for (const group of groups) expect(await group.lines()).toEqual(['live'])
  })
})

describe('mosquitto_rr', () => {
  test.each([
    { name: 'at QoS 0', options: [], qos: '0' },
    { name: 'at QoS 1', options: ['-q', '1'], qos: '1' },
    { name: 'at QoS 2', options: ['-q', '2'], qos: '2' },
    {
      name: 'with response information asked for',
      options: ['-D', 'connect', 'request-response-information', '1'],
      qos: '0',
    },
    { name: 'in a session that goes on', options: ['-q', '1', '-c', '-x', '60', '-i', 'rr'], qos: '1' },
  ])('gets the response to its request $name', async ({ name, options, qos }) => {
    const topic = `requests/${name.replaceAll(' ', '-')}`
    const responder = await Subscriber.start(['-q', '2', '-t', topic], '%p %R %D')
    const request = ['-t', topic, '-e', `${topic}/answer`, '-m', 'how warm?', '-D', 'publish', 'correlation-data', '7']
    const requester = start('mosquitto_rr', [...request, '-F', '%q %t %p %D %P', ...options])
    await responder.process.line(/^> /)
    expect(await responder.lines()).toEqual([`how warm? ${topic}/answer 7`])
    const answer = ['-D', 'publish', 'correlation-data', '7', '-D', 'publish', 'user-property', 'unit', 'celsius']
    await run('mosquitto_pub', ['-q', '2', '-t', `${topic}/answer`, '-m', '21', ...answer])
    expect(await requester.exited).toMatchObject({ code: 0 })
    expect(requester.lines).toEqual([`${qos} ${topic}/answer 21 7 unit:celsius`])
  })

  test('gets an answer that is retained from before only when it does not say -R', async () => {
    await run('mosquitto_pub', ['-r', '-q', '1', '-t', 'requests/stale/answer', '-m', 'stale'])
    const request = ['-t', 'requests/stale', '-e', 'requests/stale/answer', '-m', 'x']
    const patient = start('mosquitto_rr', [...request, '-R'])
    const hasty = start('mosquitto_rr', request)
    expect(await hasty.exited).toMatchObject({ code: 0 })
    expect(hasty.lines).toEqual(['stale'])
    expect(patient.lines).toEqual([])
  })
})
