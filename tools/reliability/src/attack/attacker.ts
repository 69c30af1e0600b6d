import { Peer } from './peer.ts'
import type { Ports, Transport } from './peer.ts'
import type { ConnectFields } from '../wire/bytes.ts'

/** What an attack has in its hands. */
export class Attacker {
  readonly #ports: Ports
  readonly #peers: Peer[] = []
  #deadline: number
  #reported: number | undefined

  /** @param milliseconds after which the attack is over */
  constructor(ports: Ports, milliseconds: number) {
    this.#ports = ports
    this.#deadline = performance.now() + milliseconds
  }

  /** @param milliseconds from now after which the attack is over */
  begin(milliseconds: number): void {
    this.#deadline = performance.now() + milliseconds
  }

  get isOver(): boolean {
    return performance.now() > this.#deadline
  }

  /** What the row's `also` is held against. */
  get reported(): number | undefined {
    return this.#reported
  }

  report(value: number): void {
    this.#reported = value
  }

  /** A connection that has not said anything. It stays open until the row ends. */
  async open(transport: Transport = 'tcp'): Promise<Peer> {
    const peer = await Peer.open(this.#ports[transport], transport)
    this.#peers.push(peer)
    return peer
  }

  /** A connected client. */
  async client(fields: ConnectFields, transport: Transport = 'tcp'): Promise<Peer> {
    const peer = await this.open(transport)
    await peer.connect(fields)
    return peer
  }

  /** Several at a time, so that the operating system's queue of connections is not full. */
  async clients(count: number, fields: (index: number) => ConnectFields): Promise<readonly Peer[]> {
    const peers: Peer[] = []
    while (peers.length < count && !this.isOver) {
      const size = Math.min(100, count - peers.length)
      peers.push(
        ...(await Promise.all(
          Array.from({ length: size }, async (_, index) => this.client(fields(peers.length + index))),
        )),
      )
    }
    return peers
  }

  /** Writes the same bytes until so many bytes are written, the broker has ended the connection, or time is over. */
  async flood(peer: Peer, chunk: Buffer, total: number): Promise<void> {
    for (let written = 0; written < total && !peer.closed && !this.isOver; written += chunk.length)
      await peer.write(chunk)
    await this.settled(peer)
  }

  /** Until the broker has dealt with what was sent, at most until the attack is over. */
  async settled(...peers: readonly Peer[]): Promise<void> {
    const left = Math.max(1000, this.#deadline - performance.now())
    await Promise.race([Promise.all(peers.map(async peer => peer.settled())), this.pause(left)])
  }

  async pause(milliseconds: number): Promise<void> {
    await new Promise<void>(resolve => void setTimeout(resolve, milliseconds).unref())
  }

  close(): void {
    for (const peer of this.#peers) peer.destroy()
  }
}
