import { TopicError, filterMatches, parseTopicFilter } from '@x/topic-trie'
import type { IPublishPacket } from 'mqtt-packet'
import { clientSettings } from './client-settings.ts'
import type { ClientSettings } from './client-settings.ts'
import type { Flags } from './flags.ts'
import { MessagePrinter } from './message-printer.ts'
import { ToolClient } from './tool-client.ts'
import type { ToolOutput } from './tool-client.ts'
import { ToolError, wrongUsage } from './tool-error.ts'

/** Exit code of Mosquitto's tools for a time that is over. */
export const timedOutCode = 27
const firstFailure = 0x80

/** `x-broker sub`: subscribes and prints what comes. Returns the exit code.
 * @throws ToolError */
export async function subscribeTool(flags: Flags, output: ToolOutput): Promise<number> {
  const settings = clientSettings(flags)
  const subscriber = new Subscriber(flags, { settings, output })
  return subscriber.run()
}

/** Seconds of `-W`, in ms; undefined: no end. */
export function timeoutOf(flags: Flags): number | undefined {
  const seconds = flags.whole('timeout', [1, 4_294_967], text => `Invalid timeout "${Number(text) || 0}".\n`)
  return seconds === undefined ? undefined : seconds * 1000
}

interface SubscriberOptions {
  readonly settings: ClientSettings
  readonly output: ToolOutput
}

class Subscriber {
  readonly #flags: Flags
  readonly #settings: ClientSettings
  readonly #output: ToolOutput
  readonly #client: ToolClient
  readonly #printer: MessagePrinter
  readonly #topics: readonly string[]
  readonly #filteredOut: readonly string[]
  readonly #unsubscribed: readonly string[]
  readonly #timeout: number | undefined
  readonly #count: number
  readonly #share: number
  #received = 0
  #isOver = false
  #finish: (code: number) => void = () => undefined

  constructor(flags: Flags, { settings, output }: SubscriberOptions) {
    this.#flags = flags
    this.#settings = settings
    this.#output = output
    this.#printer = new MessagePrinter(flags, output)
    const named = flags.all('topic').map(topic => checkedFilter(topic, 'subscription'))
    this.#topics =
      settings.topicOfUrl === undefined ? named : [checkedFilter(settings.topicOfUrl, 'subscription'), ...named]
    this.#filteredOut = flags.all('filterOut').map(topic => checkedFilter(topic, 'filter'))
    this.#unsubscribed = flags.all('unsubscribe').map(topic => checkedFilter(topic, 'unsubscribe'))
    this.#timeout = timeoutOf(flags)
    this.#count =
      flags.whole('count', [1, 2 ** 31], text => `Invalid message count "${Number(text) || 0}".\n`) ?? Infinity
    this.#share = shareOf(flags)
    if (this.#topics.length === 0 && this.#unsubscribed.length === 0)
      throw wrongUsage('You must specify a topic to subscribe to.')
    this.#client = new ToolClient(settings, output)
  }

  async run(): Promise<number> {
    const { mqtt } = this.#client
    const finished = new Promise<number>(resolve => {
      this.#finish = resolve
    })
    if (this.#timeout !== undefined) setTimeout(() => this.#end(timedOutCode), this.#timeout).unref()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => this.#end(0))
    mqtt.on('message', (_, payload, packet) => this.#message(payload, packet))
    mqtt.on('connect', () => this.#subscribe())
    // Before the messages that come behind it.
    mqtt.on('packetreceive', packet => {
      if (packet.cmd === 'suback') this.#subscribed(packet.granted)
    })
    const connected = this.#client.connect().then(() => this.#client.reconnect())
    // A timeout may come first; that it is not connected then is no news.
    await Promise.race([connected, finished])
    const code = await finished
    if (code === timedOutCode && !this.#settings.isQuiet) this.#output.error('Timed out\n')
    if (mqtt.connected) await this.#client.end()
    else this.#client.drop()
    return code
  }

  #end(code: number): void {
    this.#isOver = true
    this.#finish(code)
  }

  #subscribe(): void {
    const { mqtt } = this.#client
    const { qos, version, properties } = this.#settings
    if (this.#topics.length > 0) {
      const options = { qos, ...(version === 5 && { properties: properties.subscribe }) }
      mqtt.subscribe([...this.#topics], options, () => undefined)
    }
    if (this.#unsubscribed.length > 0) mqtt.unsubscribe([...this.#unsubscribed], () => undefined)
  }

  #subscribed(granted: readonly unknown[]): void {
    if (this.#flags.has('exitAfterSubscribe')) return this.#end(0)
    const isDenied = granted.length > 0 && granted.every(code => Number(code) >= firstFailure)
    if (!isDenied) return
    if (!this.#settings.isQuiet) this.#output.error('All subscription requests were denied.\n')
    this.#end(0)
  }

  #message(payload: Buffer, packet: IPublishPacket): void {
    if (this.#isOver) return
    if (this.#flags.has('retainedOnly') && !packet.retain) return this.#end(0)
    if (this.#flags.has('removeRetained') && packet.retain && payload.length > 0 && !this.#isFilteredOut(packet.topic))
      this.#client.mqtt.publish(packet.topic, '', { qos: 1, retain: true })
    if (this.#flags.has('noRetained') && packet.retain) return
    if (this.#isFilteredOut(packet.topic) || Math.random() * 100 >= this.#share) return
    this.#printer.print({ payload, packet, receivedAt: performance.timeOrigin + performance.now() })
    this.#received += 1
    // In a later turn: the message is acknowledged first.
    if (this.#received >= this.#count) {
      this.#isOver = true
      setImmediate(() => this.#end(0))
    }
  }

  #isFilteredOut(topic: string): boolean {
    return this.#filteredOut.some(filter => filterMatches(filter, topic))
  }
}

function checkedFilter(filter: string, what: string): string {
  try {
    parseTopicFilter(filter)
    return filter
  } catch (error) {
    if (!(error instanceof TopicError)) throw error
    throw wrongUsage(`Invalid ${what} topic '${filter}', are all '+' and '#' wildcards correct?`)
  }
}

/** Percentage of the messages that are printed. */
function shareOf(flags: Flags): number {
  const text = flags.text('randomFilter') ?? '100'
  const share = Number(text)
  if (share > 0 && share <= 100) return share
  throw new ToolError(`Error: --random-filter is '${text}', it must be above 0 and at most 100.`, { isUsage: true })
}
