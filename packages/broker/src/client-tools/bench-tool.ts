import { Client, FloodPublisher, FrameRing, Tally, WindowPublisher, publishFrame, subscribeFrame } from '@x/load'
import type { ClientOptions, FrameSupply, ProtocolVersion, Publisher, QoS } from '@x/load'
import { clientSettings } from './client-settings.ts'
import type { ClientSettings } from './client-settings.ts'
import type { Flags } from './flags.ts'
import type { ToolOutput } from './tool-client.ts'
import { ToolError, wrongUsage } from './tool-error.ts'

/** Connections that are being opened at a time. */
const openAtATime = 100
/** Bytes per publisher and turn at QoS 0: one publisher fills its socket, a hundred share the turn. */
const blockBytesAlone = 65_536
const blockBytesTogether = 8192
/** Different QoS 0 messages of a publisher, sent round and round, and bytes of all of them. */
const ringFrames = 1000
const ringBytes = 32 * 2 ** 20
/** ms without anything new after which nothing is on its way any more. */
const quiet = 500
/** ms that this may take. */
const patience = 10_000

interface BenchPlan {
  readonly publishers: number
  readonly subscribers: number
  readonly bytes: number
  readonly inFlight: number
  readonly seconds: number
  readonly topic: string
  readonly qos: QoS
  readonly version: ProtocolVersion
}

/** What has been counted. */
interface Counts {
  readonly sent: number
  readonly received: number
}

/** `x-broker bench`: publishes as fast as the broker takes it, and shows how much comes. Returns the exit code.
 * @throws ToolError */
export async function benchTool(flags: Flags, output: ToolOutput): Promise<number> {
  const settings = clientSettings(flags)
  const plan = planOf(flags, settings)
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      bench.close()
      reject(new ToolError(`Error: ${error.message}\n`))
    }
    const bench: Bench = new Bench(plan, clientOptions(settings, plan, failed))
    measure(bench, plan, output)
      .then(() => bench.close())
      .then(resolve, reject)
  })
  return 0
}

async function measure(bench: Bench, plan: BenchPlan, output: ToolOutput): Promise<void> {
  await bench.open()
  await show(bench, plan, output)
}

function planOf(flags: Flags, { version, qos, topicOfUrl, tls, socketPath }: ClientSettings): BenchPlan {
  if (tls !== undefined || socketPath !== undefined) throw wrongUsage('bench speaks plain TCP alone.\n')
  if (version === 3) throw wrongUsage('bench speaks mqttv311 and mqttv5.\n')
  const whole = (name: Parameters<Flags['whole']>[0], most: number, otherwise: number, least = 1): number =>
    flags.whole(name, [least, most], text => `Invalid number "${text}": it must be from ${least} to ${most}.\n`) ??
    otherwise
  return {
    publishers: whole('publishers', 10_000, 1),
    subscribers: whole('subscribers', 10_000, 1, 0),
    bytes: whole('size', 1_048_576, 64, 0),
    inFlight: whole('inFlight', 65_535, 100),
    seconds: whole('seconds', 86_400, 10),
    topic: flags.text('topic') ?? topicOfUrl ?? 'bench/topic',
    qos,
    version,
  }
}

function clientOptions(
  { host, port, username, password, clientId }: ClientSettings,
  { version }: BenchPlan,
  failed: (error: Error) => void,
): ClientOptions {
  const prefix = clientId === '' ? `bench-${process.pid}` : clientId
  return { host, port, username, password, version, failed, clientId: prefix }
}

/** The clients of a bench. */
class Bench {
  readonly #plan: BenchPlan
  readonly #options: ClientOptions
  readonly #deliveries = new Tally()
  readonly #acknowledgements = new Tally()
  readonly #supplies: CountedSupply[] = []
  readonly #clients: Client[] = []
  readonly #publishers: Publisher[] = []
  #isClosed = false

  constructor(plan: BenchPlan, options: ClientOptions) {
    this.#plan = plan
    this.#options = options
  }

  get counts(): Counts {
    const { qos } = this.#plan
    const taken = this.#supplies.reduce((sum, { taken: count }) => sum + count, 0)
    return { sent: qos === 0 ? taken : this.#acknowledgements.count, received: this.#deliveries.count }
  }

  async open(): Promise<void> {
    const { publishers, subscribers, topic, qos, version } = this.#plan
    const { clientId } = this.#options
    await this.#openAll(subscribers, async index => {
      const client = await this.#open({ clientId: `${clientId}-sub-${index}`, deliveries: this.#deliveries })
      await client.request(subscribeFrame(version, [topic], qos))
    })
    await this.#openAll(publishers, async index => {
      this.#publishers.push(this.#publisher(await this.#open({ clientId: `${clientId}-pub-${index}` })))
    })
  }

  begin(): void {
    for (const publisher of this.#publishers) publisher.start(Number.POSITIVE_INFINITY)
  }

  /** Sends no more, and waits for what is on its way. */
  async end(): Promise<void> {
    for (const publisher of this.#publishers) publisher.start(0)
    const until = performance.now() + patience
    let before = -1
    while (before !== this.counts.sent + this.counts.received && performance.now() < until) {
      before = this.counts.sent + this.counts.received
      await new Promise(resolve => void setTimeout(resolve, quiet))
    }
  }

  close(): void {
    this.#isClosed = true
    for (const client of this.#clients) client.drop()
  }

  async #openAll(count: number, open: (index: number) => Promise<void>): Promise<void> {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count && !this.#isClosed) {
        next += 1
        await open(next - 1)
      }
    }
    await Promise.all(Array.from({ length: Math.min(count, openAtATime) }, worker))
  }

  /** One that comes when all is over goes at once. */
  async #open(options: Pick<ClientOptions, 'clientId' | 'deliveries'>): Promise<Client> {
    const client = await Client.open({ ...this.#options, ...options })
    this.#clients.push(client)
    if (this.#isClosed) client.drop()
    return client
  }

  #publisher(client: Client): Publisher {
    const { publishers, bytes, qos, inFlight, topic, version } = this.#plan
    const count = qos === 0 ? Math.min(ringFrames, Math.ceil(ringBytes / Math.max(1, bytes) / publishers)) : inFlight
    const frames = Array.from({ length: count }, (_, place) => {
      const payload = Buffer.alloc(bytes, `${place} `)
      return publishFrame({ version, topic, payload, qos, packetId: place + 1 })
    })
    if (qos > 0) return new WindowPublisher(client, this.#acknowledgements, frames)
    const supply = new CountedSupply(new FrameRing(frames, publishers === 1 ? blockBytesAlone : blockBytesTogether))
    this.#supplies.push(supply)
    return new FloodPublisher(client, supply)
  }
}

/** Counts what is sent. */
class CountedSupply implements FrameSupply {
  readonly blockSize: number
  taken = 0
  readonly #ring: FrameRing

  constructor(ring: FrameRing) {
    this.#ring = ring
    this.blockSize = ring.blockSize
  }

  take(count: number): Buffer {
    this.taken += count
    return this.#ring.take(count)
  }
}

/** A line each second; on a terminal each takes the place of the one before. */
async function show(bench: Bench, plan: BenchPlan, output: ToolOutput): Promise<void> {
  const isScreen = process.stdout.isTTY
  const startedAt = performance.now()
  let before = { at: startedAt, ...bench.counts }
  bench.begin()
  for (let second = 1; second <= plan.seconds; second += 1) {
    await new Promise(resolve => void setTimeout(resolve, Math.max(0, startedAt + second * 1000 - performance.now())))
    const now = { at: performance.now(), ...bench.counts }
    const elapsed = (now.at - before.at) / 1000
    const line = rates(
      `${second} s`,
      { sent: now.sent - before.sent, received: now.received - before.received },
      elapsed,
    )
    output.out(isScreen ? `\r${line}\u001B[K` : `${line}\n`)
    before = now
  }
  const seconds = (performance.now() - startedAt) / 1000
  const atTheEnd = bench.counts
  await bench.end()
  const { sent, received } = bench.counts
  if (isScreen) output.out('\n')
  output.out(`${rates('all', atTheEnd, seconds)}\n`)
  const lost = sent * plan.subscribers - received
  output.out(`sent ${shown(sent)}, received ${shown(received)}${lost > 0 ? `, ${shown(lost)} did not come` : ''}\n`)
}

function rates(when: string, { sent, received }: Counts, seconds: number): string {
  const each = (count: number): string => shown(Math.round(count / seconds)).padStart(11)
  return `${when.padStart(6)}  sent ${each(sent)}/s  received ${each(received)}/s`
}

function shown(number: number): string {
  return number.toLocaleString('en').replaceAll(',', ' ')
}
