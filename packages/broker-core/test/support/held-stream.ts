import { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import { FrameCutter } from './frame.ts'
import type { Frame } from './frame.ts'

/** A stream whose other end takes bytes only when the test says so. What the client sends is put in with `push`.
 * Destroyed when the test ends. */
export class HeldStream extends Duplex {
  readonly #cutter = new FrameCutter()
  readonly #frames: Frame[] = []
  #held: (() => void) | undefined
  /** Everything is taken at once. */
  flowing = false

  constructor() {
    // Node 20's own; later ones buffer four times as much.
    super({ highWaterMark: 16_384 })
    onTestFinished(() => {
      this.destroy()
    })
  }

  override _read(): void {
    // `push` decides.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const take = (): void => {
      for (const frame of this.#cutter.push(chunk)) this.#frames.push(frame)
      done()
    }
    if (this.flowing) take()
    else this.#held = take
  }

  /** Takes one write of the other side; false: there is none. */
  takeWrite(): boolean {
    const held = this.#held
    this.#held = undefined
    held?.()
    return held !== undefined
  }

  /** Takes everything there is and will be. */
  flow(): void {
    this.flowing = true
    this.takeWrite()
  }

  /** The whole packets that were taken since the last call. */
  frames(): readonly Frame[] {
    return this.#frames.splice(0)
  }
}
