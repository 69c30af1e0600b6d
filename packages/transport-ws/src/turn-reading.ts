/** Bytes that all WebSockets of a transport may read in one turn of the event loop: reading them takes 4 ms. A socket is read 32 times in
 * a turn, 64 KiB each time, so 30 of them would bring 60 MiB, for as many ms. */
const bytesPerTurn = 4_194_304

/** WebSockets that go on in one turn: as many as may read once within the bytes of a turn. */
const streamsPerTurn = 64

/** A WebSocket that can rest. */
interface Resting {
  /** Reads nothing until `endRest` is called. */
  rest(): void
  endRest(): void
}

/** What the WebSockets of one transport read in a turn of the event loop. Those that bring more than their share rest, and go on in a
 * later turn, in their order. */
export class TurnReading {
  #bytes = 0
  /** The first one has rested longest. */
  readonly #resting = new Set<Resting>()
  #isRunning = false
  readonly #end = (): void => this.#endTurn()

  /** So many bytes have come for the stream. */
  read(stream: Resting, bytes: number): void {
    this.#run()
    this.#bytes += bytes
    if (this.#bytes > bytesPerTurn) this.putOff(stream)
  }

  /** The stream has had its share of this turn. */
  putOff(stream: Resting): void {
    this.#run()
    stream.rest()
    this.#resting.add(stream)
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(this.#end)
  }

  #endTurn(): void {
    this.#isRunning = false
    this.#bytes = 0
    const next: Resting[] = []
    for (const stream of this.#resting) {
      if (next.length === streamsPerTurn) break
      next.push(stream)
      this.#resting.delete(stream)
    }
    if (this.#resting.size > 0) this.#run()
    for (const stream of next) stream.endRest()
  }
}
