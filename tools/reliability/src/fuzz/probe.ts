import { connect, pingreq, publish, subscribe } from '../wire/bytes.ts'
import { packetType } from '../wire/frames.ts'
import { probeId } from './case.ts'
import { MemoryLine } from './line.ts'
import { Peer } from './peer.ts'

/** The innocent client: whatever the others and the program do, it is served. */
export class Probe {
  readonly #peer = new Peer('polite')
  readonly #line: MemoryLine = new MemoryLine(chunk => this.#peer.take(chunk))
  #asked = 0

  connect(serve: (line: MemoryLine) => void): void {
    this.#peer.speakOn(this.#line)
    serve(this.#line)
    this.#line.send(connect({ version: 4, clientId: probeId }))
    this.#line.send(subscribe({ version: 4, id: 1, filters: ['probe/x/y'] }))
  }

  get isConnected(): boolean {
    return this.#peer.count(packetType.suback) === 1
  }

  /** Sends a ping, and a message of QoS 1 to itself; returns whether all of it has come back. */
  ask(): () => boolean {
    this.#asked += 1
    this.#line.send(pingreq)
    this.#line.send(publish({ version: 4, topic: 'probe/x/y', qos: 1, id: this.#asked, payload: Buffer.from('ping') }))
    const wanted = this.#asked
    return () =>
      this.#peer.count(packetType.pingresp) >= wanted &&
      this.#peer.count(packetType.puback) >= wanted &&
      this.#peer.count(packetType.publish) >= wanted
  }

  /** For messages. */
  describe(): string {
    const { pingresp, puback, publish: delivery } = packetType
    const counts = [pingresp, puback, delivery].map(type => this.#peer.count(type))
    const state = this.#line.closed ? 'disconnected' : 'connected'
    return `${state}, ${counts.join(', ')} of ${this.#asked} PINGRESP, PUBACK, PUBLISH`
  }

  leave(): void {
    this.#line.destroy()
  }
}
