import { publish, subscribe } from '../wire/bytes.ts'
import { packetType } from '../wire/frames.ts'
import { Peer } from './peer.ts'

/** An innocent client beside an attack: it sends itself a message, waits for it, and does so again. */
export class Probe {
  readonly #peer: Peer
  /** ms from sending to getting. */
  readonly #times: number[] = []
  #sentAt = 0
  #ended = false
  #timer: NodeJS.Timeout | undefined

  private constructor(peer: Peer) {
    this.#peer = peer
  }

  static async start(port: number): Promise<Probe> {
    const peer = await Peer.open(port)
    const probe = new Probe(peer)
    if (!(await peer.connect({ version: 4, clientId: 'probe' }))) throw new Error('the probe was refused')
    await peer.write(subscribe({ version: 4, id: 1, filters: ['probe'], options: 0 }))
    await peer.settled()
    peer.onFrame(frame => {
      if (frame.type !== packetType.publish) return
      probe.#times.push(performance.now() - probe.#sentAt)
      // Times below what a timer can do are of no interest.
      if (!probe.#ended) probe.#timer = setTimeout(() => probe.#send(), 1)
    })
    probe.#send()
    return probe
  }

  get isAlive(): boolean {
    return !this.#peer.closed
  }

  /** Forgets what was. */
  reset(): void {
    this.#times.length = 0
    this.#sentAt = performance.now()
  }

  /** ms; the message that has not come back counts with what it has waited. */
  read(): { readonly p99: number; readonly longest: number } {
    const times = [...this.#times, performance.now() - this.#sentAt].sort((one, other) => one - other)
    return { p99: times[Math.floor(times.length * 0.99)] ?? 0, longest: times.at(-1) ?? 0 }
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#peer.destroy()
  }

  #send(): void {
    this.#sentAt = performance.now()
    void this.#peer.write(publish({ version: 4, topic: 'probe', payload: Buffer.from('ping') }))
  }
}
