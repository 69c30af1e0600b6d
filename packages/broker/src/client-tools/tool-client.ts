import { MqttClient } from 'mqtt'
import type { IClientOptions } from 'mqtt'
import type { Packet } from 'mqtt-packet'
import type { ClientSettings } from './client-settings.ts'
import { receivedLine, sentLines } from './debug-lines.ts'
import { connectProblem, openStream } from './open-stream.ts'
import { reasonText, refusalText } from './reason-texts.ts'
import { ToolError } from './tool-error.ts'

/** ms for CONNACK to come. */
const connectTimeout = 30_000
const greatestIdentifier = 65_535
/** Exit code of Mosquitto's tools for a connection that is lost. */
const lostCode = 7

/** Where a tool's words go. */
export interface ToolOutput {
  out(text: string | Buffer): void
  error(text: string): void
}

/** The connection of one of the tools to its broker. */
export class ToolClient {
  readonly mqtt: MqttClient
  readonly #settings: ClientSettings
  readonly #output: ToolOutput
  /** Why the last stream has ended. */
  #problem: NodeJS.ErrnoException | undefined

  constructor(settings: ClientSettings, output: ToolOutput) {
    this.#settings = settings
    this.#output = output
    this.mqtt = new MqttClient(() => this.#stream(), optionsOf(settings))
    // Each problem comes as the end of a stream, too, or as the end of `connect`.
    this.mqtt.on('error', () => undefined)
    if (settings.isDebug) this.#showPackets()
  }

  /** Settles when CONNACK has come.
   * @throws ToolError */
  connect(): Promise<void> {
    const { mqtt } = this
    return new Promise((resolve, reject) => {
      const refused = (error: Error & { code?: unknown }): void => {
        if (typeof error.code === 'number') reject(this.#refusal(error.code))
        else this.#problem ??= error as NodeJS.ErrnoException
      }
      mqtt.on('error', refused)
      const closed = (): void => reject(new ToolError(connectProblem(this.#problem ?? lost(), this.#settings)))
      mqtt.once('close', closed)
      mqtt.once('connect', () => {
        mqtt.off('error', refused)
        mqtt.off('close', closed)
        resolve()
      })
      mqtt.connect()
    })
  }

  /** Rejects when the connection ends before `end`. */
  lost(): Promise<never> {
    return new Promise((_, reject) => {
      this.mqtt.once('close', () => reject(new ToolError('Error: The connection was lost.', { exitCode: lostCode })))
    })
  }

  /** From now on a lost connection is made again after a second. */
  reconnect(): void {
    this.mqtt.options.reconnectPeriod = 1000
  }

  /** Says DISCONNECT, when what is under way is done. */
  async end(): Promise<void> {
    const { disconnect } = this.#settings.properties
    await this.mqtt.endAsync(false, Object.keys(disconnect).length > 0 ? { properties: disconnect } : {})
  }

  /** Under way for nobody any more. */
  drop(): void {
    this.mqtt.end(true)
  }

  #stream(): ReturnType<typeof openStream> {
    const stream = openStream(this.#settings)
    stream.on('error', error => {
      this.#problem = error
    })
    return stream
  }

  #refusal(code: number): ToolError {
    const text = this.#settings.version === 5 ? reasonText(code) : refusalText(code)
    return new ToolError(`Connection error: ${text}`, { exitCode: code })
  }

  #showPackets(): void {
    let { clientId } = this.#settings
    const show = (line: string): void => this.#output.out(`Client ${clientId === '' ? '(null)' : clientId} ${line}\n`)
    this.mqtt.on('packetsend', (packet: Packet) => {
      for (const line of sentLines(packet)) show(line)
    })
    this.mqtt.on('packetreceive', (packet: Packet) => {
      if (packet.cmd === 'connack') clientId = packet.properties?.assignedClientIdentifier ?? clientId
      const line = receivedLine(packet)
      if (line !== undefined) show(line)
      if (packet.cmd === 'suback') this.#output.out(subscribedText(packet))
    })
  }
}

function lost(): NodeJS.ErrnoException {
  return Object.assign(new Error('The connection was lost.'), { code: 'ECONNRESET' })
}

function subscribedText({ messageId, granted }: Extract<Packet, { cmd: 'suback' }>): string {
  return `Subscribed (mid: ${messageId}): ${granted.map(Number).join(', ')}\n`
}

function optionsOf(settings: ClientSettings): IClientOptions {
  const { version, clientId, clean, keepAlive: keepalive, username, password, will, properties } = settings
  const hasProperties = version === 5 && Object.keys(properties.connect).length > 0
  return {
    manualConnect: true,
    reconnectPeriod: 0,
    connectTimeout,
    resubscribe: false,
    protocolVersion: version,
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    clientId,
    clean,
    keepalive,
    messageIdProvider: new MessageIds(),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(will !== undefined && { will }),
    ...(hasProperties && { properties: properties.connect }),
  }
}

type MessageIdProvider = NonNullable<IClientOptions['messageIdProvider']>

/** Packet identifiers one after the other, as in Mosquitto's tools. */
class MessageIds implements MessageIdProvider {
  #last = 0
  readonly #used = new Set<number>()

  allocate(): number | null {
    if (this.#used.size === greatestIdentifier) return null
    do this.#last = (this.#last % greatestIdentifier) + 1
    while (this.#used.has(this.#last))
    this.#used.add(this.#last)
    return this.#last
  }

  getLastAllocated(): number | null {
    return this.#last === 0 ? null : this.#last
  }

  register(identifier: number): boolean {
    if (this.#used.has(identifier)) return false
    this.#used.add(identifier)
    return true
  }

  deallocate(identifier: number): void {
    this.#used.delete(identifier)
  }

  clear(): void {
    this.#used.clear()
  }
}
