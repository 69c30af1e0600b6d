import type { Frame } from './mesh-frame.ts'
import type { ConnectionOwner } from './mesh-connection.ts'
import { invalid, MeshError } from './mesh-error.ts'

interface Waiter {
  resolve(frame: Frame): void
  reject(error: Error): void
}

/** A connection whose two sides don't know each other yet: frame by frame, each when it is waited for. */
export class Opening implements ConnectionOwner {
  #waiter: Waiter | undefined
  #end: Error | undefined

  /** The next frame.
   * @throws why the connection has ended */
  next(): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.#end === undefined) this.#waiter = { resolve, reject }
      else reject(this.#end)
    })
  }

  frame(frame: Frame): void {
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter === undefined) throw invalid('a frame comes before its time')
    waiter.resolve(frame)
  }

  ended(error: Error | undefined): void {
    this.#end = error ?? new MeshError('PEER_UNREACHABLE', { message: 'it has closed the connection' })
    this.#waiter?.reject(this.#end)
    this.#waiter = undefined
  }
}
