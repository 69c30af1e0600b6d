import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import type { IClientPublishOptions } from 'mqtt'
import type { Packet } from 'mqtt-packet'
import { checkedTopic, clientSettings } from './client-settings.ts'
import type { ClientSettings } from './client-settings.ts'
import type { Flags } from './flags.ts'
import { payloadSource } from './payload-source.ts'
import { reasonText } from './reason-texts.ts'
import { ToolClient } from './tool-client.ts'
import type { ToolOutput } from './tool-client.ts'
import { wrongUsage } from './tool-error.ts'

/** Messages on their way at a time, as in Mosquitto's tools. */
const defaultInflight = 20

/** `x-broker pub`: publishes one message, or each line of the input. Returns the exit code.
 * @throws ToolError */
export async function publishTool(flags: Flags, output: ToolOutput): Promise<number> {
  const settings = clientSettings(flags)
  const topic = flags.text('topic') ?? settings.topicOfUrl
  const source = payloadSource(flags)
  const repeat = flags.whole('repeat', [1, 2 ** 31], () => '--repeat argument must be >0.\n') ?? 1
  const delay = repeatDelay(flags)
  const inflight =
    flags.whole('maximumInflight', [1, 65_535], () => 'Maximum inflight messages must be greater than 0.\n') ??
    defaultInflight
  if (topic === undefined || source === undefined) throw wrongUsage('Both topic and message must be supplied.')
  const client = new ToolClient(settings, output)
  const publisher = new Publisher(client, {
    settings,
    output,
    topic: checkedTopic(topic, 'publish'),
    inflight,
    retain: flags.has('retain'),
  })
  const payload = source.kind === 'one' ? await source.read() : undefined
  await client.connect()
  const publishing = payload === undefined ? publisher.lines() : publisher.repeated(payload, { repeat, delay })
  try {
    await Promise.race([publishing, client.lost()])
  } catch (error) {
    client.drop()
    throw error
  }
  await client.end()
  return 0
}

/** ms. */
function repeatDelay(flags: Flags): number {
  const text = flags.text('repeatDelay') ?? '0'
  const seconds = Number(text)
  if (!(seconds >= 0)) throw wrongUsage('--repeat-delay argument must be >=0.0.\n')
  return seconds * 1000
}

interface PublisherOptions {
  readonly settings: ClientSettings
  readonly output: ToolOutput
  readonly topic: string
  readonly retain: boolean
  /** Messages on their way at a time. */
  readonly inflight: number
}

class Publisher {
  readonly #client: ToolClient
  readonly #options: PublisherOptions
  readonly #packetOptions: IClientPublishOptions
  readonly #open = new Set<Promise<void>>()
  #count = 0

  constructor(client: ToolClient, options: PublisherOptions) {
    this.#client = client
    this.#options = options
    const { settings, retain } = options
    const { publish } = settings.properties
    const hasProperties = settings.version === 5 && Object.keys(publish).length > 0
    this.#packetOptions = { qos: settings.qos, retain, ...(hasProperties && { properties: publish }) }
  }

  /** Settles when all are acknowledged. */
  async repeated(
    payload: Buffer,
    { repeat, delay }: { readonly repeat: number; readonly delay: number },
  ): Promise<void> {
    for (let count = 0; count < repeat; count += 1) {
      if (count > 0 && delay > 0) await wait(delay)
      await this.#publish(payload)
    }
    await Promise.all(this.#open)
  }

  /** Settles when the input has ended and all are acknowledged. */
  async lines(): Promise<void> {
    for await (const line of createInterface({ input: process.stdin })) await this.#publish(Buffer.from(line))
    await Promise.all(this.#open)
  }

  /** Settles when there is room for the next one. */
  async #publish(payload: Buffer): Promise<void> {
    this.#count += 1
    const number = this.#count
    const done = this.#acknowledged(payload, number)
    this.#open.add(done)
    void done.then(() => this.#open.delete(done))
    if (this.#open.size >= this.#options.inflight) await Promise.race(this.#open)
  }

  #acknowledged(payload: Buffer, number: number): Promise<void> {
    const { topic, output, settings } = this.#options
    return new Promise(resolve => {
      this.#client.mqtt.publish(topic, payload, this.#packetOptions, (error, packet) => {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        // What has another reason ends the connection, which is seen there.
        if (typeof code === 'number' && !settings.isQuiet)
          output.error(`Warning: Publish ${number} failed: ${reasonText(code)}.\n${reasonLine(packet)}`)
        resolve()
      })
    })
  }
}

/** The broker's own words, when it has some. */
function reasonLine(packet: Packet | undefined): string {
  const properties = packet !== undefined && 'properties' in packet ? packet.properties : undefined
  const text = properties !== undefined && 'reasonString' in properties ? properties.reasonString : undefined
  return typeof text === 'string' ? `${text}\n` : ''
}
