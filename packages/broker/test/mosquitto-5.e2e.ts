import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { exchanges } from './mosquitto-5.cases.ts'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { StartedProcess, listeningUrl, portOf, startCommand } from './started-command.ts'

// Debian's clients against the command, with every option of theirs that concerns MQTT 5. Parameters are written as they
// are typed: none contains a space.

const missing =
  mosquittoMissing() ??
  (process.env['CI'] === 'true' || spawnSync('stdbuf', ['--version']).error === undefined
    ? undefined
    : 'stdbuf is missing: install coreutils')

let command: StartedProcess
let place: string

beforeAll(async () => {
  command = startCommand()
  place = `-h 127.0.0.1 -p ${portOf(await listeningUrl(command))} -V 5`
})

afterAll(async () => {
  await command.stop('SIGTERM')
})

beforeEach(context => {
  if (missing !== undefined) context.skip(missing)
})

type File = 'mosquitto_pub' | 'mosquitto_sub' | 'mosquitto_rr'

/** Line by line: into a pipe the clients write what `-d` tells only with the next message. */
function start(file: File, parameters: string, format?: string): StartedProcess {
  const shownAs = format === undefined ? [] : ['-F', format]
  const client = new StartedProcess('stdbuf', ['-oL', file, ...`${place} ${parameters}`.split(' '), ...shownAs])
  onTestFinished(() => client.stop())
  return client
}

/** Runs to its end, which must be a success; what it has printed is in `lines`. */
async function run(file: File, parameters: string): Promise<StartedProcess> {
  const client = start(file, parameters)
  const { code } = await client.exited
  if (code !== 0) throw new Error(`${file} ${parameters}: exit code ${code}: ${client.stderr}`)
  return client
}

/** How a message is printed: this, its topic, a bar, and what the test asks for. */
const shown = /^> [^|]*\|/
let markers = 0

/** mosquitto_sub whose subscription is in force, of which `-d` tells. A marker ends the messages: it is printed when all of them are, while
 * its PUBLISH may come before the last step of a message of QoS 2. */
class Subscriber {
  readonly process: StartedProcess
  readonly #marker: string

  private constructor(process: StartedProcess, marker: string) {
    this.process = process
    this.#marker = marker
  }

  static async start(parameters: string, format = '%p'): Promise<Subscriber> {
    const marker = `marker/${(markers += 1)}`
    const process = start('mosquitto_sub', `-d ${parameters} -t ${marker}`, `> %t|${format}`)
    await process.line(parameters.includes('-U ') ? /received UNSUBACK/ : /^Subscribed/)
    return new Subscriber(process, marker)
  }

  /** The next message, once it is there. */
  async first(): Promise<string> {
    return (await this.process.line(shown)).replace(shown, '')
  }

  /** A line for each message so far. The subscriber is killed: one that gets SIGTERM while it prints may hang. */
  async lines(): Promise<readonly string[]> {
    await run('mosquitto_pub', `-q 2 -t ${this.#marker} -m end`)
    const end = await this.process.line(new RegExp(`^> ${this.#marker}\\|`))
    await this.process.stop()
    return this.process.lines
      .slice(0, this.process.lines.indexOf(end))
      .filter(line => shown.test(line))
      .map(line => line.replace(shown, ''))
  }
}

describe('an exchange', () => {
  test.each(exchanges)('$title', async ({ before = [], subscribe, format, publish = [], lines }) => {
    for (const parameters of before) await run('mosquitto_pub', parameters)
    const subscriber = await Subscriber.start(subscribe, format)
    for (const parameters of publish) await run('mosquitto_pub', parameters)
    const expected = lines.map((line): unknown => (typeof line === 'string' ? line : expect.stringMatching(line)))
    expect(await subscriber.lines()).toEqual(expected)
  })
})

describe('CONNECT', () => {
  test('takes every property that mosquitto_pub can send', async () => {
    const properties = [
      'receive-maximum 1000',
      'topic-alias-maximum 1000',
      'maximum-packet-size 1000',
      'session-expiry-interval 1000',
      'request-problem-information 1',
      'request-response-information 1',
      'user-property a b',
      'user-property a c',
    ].map(property => `-D connect ${property}`)
    const client = await run('mosquitto_pub', `-d -i all -t x -m x ${properties.join(' ')}`)
    expect(client.lines).toContain('Client all received CONNACK (0)')
  })

  test('without a client identifier assigns one, which the client then has', async () => {
    const clients = [await run('mosquitto_pub', '-d -t x -m x'), await run('mosquitto_pub', '-d -t x -m x')]
    const assigned = clients.map(({ lines }) => /^Client (\S+) received CONNACK \(0\)$/.exec(lines[1] ?? '')?.[1])
    expect(assigned[0]).toMatch(/^(?!\(null\))./)
    expect(assigned[0]).not.toBe(assigned[1])
  })

  test('with -I has the identifier that the client made', async () => {
    const { lines } = await run('mosquitto_pub', '-d -I prefix- -t x -m x')
    expect(lines[1]).toMatch(/^Client prefix-\d+ received CONNACK \(0\)$/)
  })

  test('with an Authentication Method that the broker has no hook for is refused with 0x8C', async () => {
    const method = '-D connect authentication-method SCRAM-SHA-1 -D connect authentication-data x'
    const client = start('mosquitto_pub', `-t x -m x ${method}`)
    expect(await client.exited).toMatchObject({ code: 0x8c })
    expect(client.stderr).toContain('Bad authentication method')
  })

  test('with the identifier of a connected client ends the older connection with 0x8E', async () => {
    const older = await Subscriber.start('-i twin -t x')
    start('mosquitto_sub', '-i twin -t x')
    expect(await older.process.line(/DISCONNECT/)).toBe('Received DISCONNECT (142)')
  })
})

describe('a reason', () => {
  test('is 0x10 in PUBACK when nobody subscribes to the topic, and 0 when somebody does', async () => {
    const unheard = await run('mosquitto_pub', '-d -q 1 -t reason/puback -m x')
    expect(await unheard.line(/received PUBACK/)).toMatch(/RC:16\)$/)
    const subscriber = await Subscriber.start('-t reason/puback')
    const heard = await run('mosquitto_pub', '-d -q 1 -t reason/puback -m x')
    expect(await heard.line(/received PUBACK/)).toMatch(/RC:0\)$/)
    expect(await subscriber.lines()).toEqual(['x'])
  })

  test.each(['1', '2'])('of a message refused at QoS %s is told', async qos => {
    const client = await run('mosquitto_pub', `-d -q ${qos} -t $SYS/mine -m x`)
    expect(client.stderr).toContain('Publish 1 failed: Not authorized')
    // mosquitto_pub shows the words of a PUBACK only.
    if (qos === '1') expect(client.stderr).toContain('$SYS/ topic is reserved')
  })

  test('is told without words when Request Problem Information is 0', async () => {
    const parameters = '-d -q 1 -t $SYS/mine -m x -D connect request-problem-information 0'
    const client = await run('mosquitto_pub', parameters)
    expect(client.stderr).toContain('Publish 1 failed: Not authorized')
    expect(client.stderr).not.toContain('reserved')
  })

  test('of a subscription is the granted QoS', async () => {
    const client = await run('mosquitto_sub', '-d -E -q 1 -t reason/a -t reason/b/#')
    expect(client.lines).toContain('Subscribed (mid: 1): 1, 1')
  })
})

/** Opens a session with one connection and publishes to it while it is away; returns what the next connection finds. */
async function awayAndBack(clientId: string, options: string): Promise<readonly string[]> {
  const topic = `session/${clientId}`
  await run('mosquitto_sub', `-i ${clientId} -q 1 -t ${topic} -E ${options}`)
  await run('mosquitto_pub', `-q 1 -t ${topic} -m away -D publish content-type a`)
  const back = await Subscriber.start(`-i ${clientId} -q 1 -t ${topic} -c -x 0`, '%q %p %C')
  return back.lines()
}

describe('a session', () => {
  test.each([
    ['-c', 'keeps for ever'],
    ['-c -x 3600', 'keeps for so many seconds'],
    ['-c -x -1', 'keeps for ever'],
    ['-c -x ∞', 'keeps for ever'],
    ['-c -x 4294967295', 'keeps for ever'],
    ['-x 3600', 'keeps after a clean start'],
    ['-D connect session-expiry-interval 3600', 'keeps for so many seconds'],
    ['-c -x 60 -D disconnect session-expiry-interval 3600', 'keeps as long as said at the end'],
  ])('with %s %s what comes while its client is away', async options => {
    expect(await awayAndBack(`kept-${options.replaceAll(/\W/g, '')}`, options)).toEqual(['1 away a'])
  })

  test.each([
    ['-q 1', 'nothing said of it'],
    ['-c -x 0', 'an interval of 0'],
    ['-c -x 60 -D disconnect session-expiry-interval 0', '0 said at the end'],
  ])('with %s (%s) ends with its connection', async options => {
    expect(await awayAndBack(`ended-${options.replaceAll(/\W/g, '')}`, options)).toEqual([])
  })

  test('may end with a User Property', async () => {
    const client = await run('mosquitto_pub', '-d -t x -m x -D disconnect user-property why done')
    expect(client.lines.at(-1)).toMatch(/sending DISCONNECT$/)
    expect(client.stderr).toBe('')
  })
})

interface WillParties {
  readonly watcher: Subscriber
  readonly client: StartedProcess
}

/** Somebody who waits for the will `bye`, and a connected client that has it. */
async function withWill(topic: string, options: string): Promise<WillParties> {
  const { process } = await Subscriber.start(`--will-topic ${topic} --will-payload bye -t x ${options}`)
  const watcher = await Subscriber.start(`-q 2 -t ${topic}`, '%q %r %p C=%C D=%D E=%E F=%F R=%R P=%P')
  return { watcher, client: process }
}

describe('a will', () => {
  test('comes with its payload, QoS and every property when the client dies', async () => {
    const properties = [
      'content-type text/plain',
      'correlation-data 7',
      'message-expiry-interval 1000000',
      'payload-format-indicator 1',
      'response-topic answers',
      'user-property a 1',
      'user-property a 2',
    ].map(property => `-D will ${property}`)
    const { watcher, client } = await withWill('will/all', `--will-qos 2 ${properties.join(' ')}`)
    await client.stop('SIGKILL')
    expect(await watcher.first()).toMatch(/^2 0 bye C=text\/plain D=7 E=(?:1000000|999999) F=1 R=answers P=a:1 a:2$/)
    expect(await watcher.lines()).toHaveLength(1)
  })

  test('is retained with --will-retain', async () => {
    const { watcher, client } = await withWill('will/retained', '--will-retain')
    await client.stop('SIGKILL')
    expect(await watcher.first()).toMatch(/^0 0 bye /)
    const later = await Subscriber.start('-t will/retained', '%r %p')
    expect(await later.lines()).toEqual(['1 bye'])
  })

  test('does not come when the client leaves with DISCONNECT', async () => {
    const watcher = await Subscriber.start('-q 1 -t will/none')
    await run('mosquitto_pub', '--will-topic will/none --will-payload bye --will-qos 1 -t x -m x')
    expect(await watcher.lines()).toEqual([])
  })

  test('comes when the client leaves with DISCONNECT and 0x04, as mosquitto_sub does at SIGTERM', async () => {
    const { watcher, client } = await withWill('will/left', '--will-qos 1')
    await client.stop('SIGTERM')
    expect(await client.exited).toMatchObject({ signal: null })
    expect(await watcher.first()).toMatch(/^1 0 bye /)
  })

  test('with a delay comes when the session ends, if that is sooner', async () => {
    const { watcher, client } = await withWill('will/session-end', '-D will will-delay-interval 3600')
    await client.stop('SIGKILL')
    expect(await watcher.first()).toMatch(/^0 0 bye /)
  })

  test('with a delay does not come when the client is back in time', async () => {
    const session = '-i will-back -c -x 3600'
    const { watcher, client } = await withWill('will/back', `${session} -D will will-delay-interval 3600`)
    await client.stop('SIGKILL')
    await run('mosquitto_sub', '-i will-back -c -x 0 -t x -E')
    expect(await watcher.lines()).toEqual([])
  })

  test('with a delay of a second comes after a second', async () => {
    const { watcher, client } = await withWill('will/delayed', '-x 3600 -D will will-delay-interval 1')
    const died = performance.now()
    await client.stop('SIGKILL')
    expect(await watcher.first()).toMatch(/^0 0 bye /)
    expect(performance.now() - died).toBeGreaterThanOrEqual(1000)
  })
})

describe('a shared subscription', () => {
  test('divides messages among its members, each message going to one', async () => {
    const members = await Promise.all([1, 2].map(() => Subscriber.start('-q 1 -t $share/group/shared/+', '%t')))
    const topics = Array.from({ length: 10 }, (_, index) => `shared/${index}`)
    for (const topic of topics) await run('mosquitto_pub', `-q 1 -t ${topic} -m x`)
    const received = await Promise.all(members.map(member => member.lines()))
    // Evenly within one process; workers divide among themselves first.
    expect(Math.min(...received.map(lines => lines.length))).toBeGreaterThan(0)
    expect(received.flat().toSorted()).toEqual(topics)
  })

  test('gets no retained messages, and every group gets each live one', async () => {
    await run('mosquitto_pub', '-r -q 1 -t groups/a -m old')
    const groups = await Promise.all(
      ['one', 'two'].map(group => Subscriber.start(`-q 1 -t $share/${group}/groups/#`, '%r %p')),
    )
    await run('mosquitto_pub', '-q 1 -t groups/a -m live')
    for (const group of groups) expect(await group.lines()).toEqual(['0 live'])
  })
})

describe('mosquitto_rr', () => {
  test.each([
    { options: '-q 0', qos: '0' },
    { options: '-q 1', qos: '1' },
    { options: '-q 2', qos: '2' },
    { options: '-q 0 -D connect request-response-information 1', qos: '0' },
    { options: '-q 1 -c -x 60 -i rr', qos: '1' },
  ])('with $options gets the response to its request', async ({ options, qos }) => {
    const topic = `requests/${options.replaceAll(/\W/g, '')}`
    const responder = await Subscriber.start(`-q 2 -t ${topic}`, '%q %p %R %D')
    const request = `-t ${topic} -e ${topic}/answer -m how-warm? -D publish correlation-data 7 ${options}`
    const requester = start('mosquitto_rr', request, '%q %t %p %D %P')
    expect(await responder.first()).toBe(`${qos} how-warm? ${topic}/answer 7`)
    const answer = '-m 21 -D publish correlation-data 7 -D publish user-property unit celsius'
    await run('mosquitto_pub', `-q 2 -t ${topic}/answer ${answer}`)
    expect(await requester.exited).toMatchObject({ code: 0 })
    expect(requester.lines).toEqual([`${qos} ${topic}/answer 21 7 unit:celsius`])
  })

  test('takes an answer that is retained from before', async () => {
    await run('mosquitto_pub', '-r -q 1 -t requests/retained/answer -m old')
    const requester = await run('mosquitto_rr', '-t requests/retained -e requests/retained/answer -m x')
    expect(requester.lines).toEqual(['old'])
  })
})
