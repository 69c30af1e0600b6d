import { publish, subscribe } from '../wire/bytes.ts'
import { packetType } from '../wire/frames.ts'
import { ThreadTime } from '../measure/thread-time.ts'
import { Peer } from './peer.ts'

/** An innocent client beside an attack: it sends itself a message, waits for it, and does so again. */
export class Probe {
  readonly #peer: Peer
  readonly #broker: ThreadTime
  readonly #own: ThreadTime = new ThreadTime('self')
  /** ms of the broker's CPU from sending to getting. */
  readonly #times: number[] = []
  #sentAt = 0
  #ended = false
  #timer: NodeJS.Timeout | undefined

  private constructor(peer: Peer, broker: ThreadTime) {
    this.#peer = peer
    this.#broker = broker
  }

  static async start(port: number, pid: number): Promise<Probe> {
    const peer = await Peer.open(port)
    const probe = new Probe(peer, new ThreadTime(pid))
    if (!(await peer.connect({ version: 4, clientId: 'probe' }))) throw new Error('the probe was refused')
    await peer.write(subscribe({ version: 4, id: 1, filters: ['probe'], options: 0 }))
    await peer.settled()
    peer.onFrame(frame => {
      if (frame.type !== packetType.publish) return
      probe.#times.push(probe.#waited())
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
    this.#sentAt = this.#now()
  }

  /** ms of the broker's CPU that 99 of 100 messages waited. The one that has not come back counts with what it has waited. */
  get p99(): number {
    const times = [...this.#times, this.#waited()].sort((one, other) => one - other)
    return times[Math.floor(times.length * 0.99)] ?? 0
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#peer.destroy()
    this.#broker.close()
    this.#own.close()
  }

  /** ms of the broker's CPU. What it uses while this process has no processor, so that a message lies there unread, does not count. */
  #now(): number {
    return this.#broker.read() - this.#own.readWaiting()
  }

  #waited(): number {
    return Math.max(0, this.#now() - this.#sentAt)
  }

  #send(): void {
    this.#sentAt = this.#now()
    void this.#peer.write(publish({ version: 4, topic: 'probe', payload: Buffer.from('ping') }))
  }
}
