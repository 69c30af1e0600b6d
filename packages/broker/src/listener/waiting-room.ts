import type { Socket } from 'node:net'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import type { ConnectionRefused } from './refused.ts'

/** What becomes of a connection that waits. */
interface WaitingHost {
  /** Why there is no place now; undefined: there is one. */
  problemOfNumber(): ConnectionRefused | undefined
  admit(socket: Socket): void
  refuse(socket: Socket, problem: ConnectionRefused): void
}

/** Connections that may wait at a time; more are refused at once, as in a flood. */
const mostWaiting = 256

/** ms that a store may take with clients that have left. */
const grace = 20

/** Connections for which there was no place when they came. Node reads new connections before the ends of old ones that came earlier, so
 * each waits until those have been read: some turns of the event loop, a moment, and some turns again, since a process that stood still
 * has its timers run before it reads. */
export class WaitingRoom {
  readonly #host: WaitingHost
  readonly #waiting = new Set<Socket>()

  constructor(host: WaitingHost) {
    this.#host = host
  }

  take(socket: Socket, problem: ConnectionRefused): void {
    if (this.#waiting.size >= mostWaiting) {
      this.#host.refuse(socket, problem)
      return
    }
    socket.on('error', ignore)
    this.#waiting.add(socket)
    void this.#wait(socket)
  }

  /** Ends them all. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy()
    this.#waiting.clear()
  }

  async #wait(socket: Socket): Promise<void> {
    let problem: ConnectionRefused | undefined
    for (const pause of [turn, turn, turn, turn, moment, turn, turn, turn, turn]) {
      await pause()
      if (!this.#waiting.has(socket)) return
      // It has left: who is admitted is told by its stream's 'close', which has come.
      if (socket.destroyed || socket.readableEnded) {
        this.#waiting.delete(socket)
        socket.destroy()
        return
      }
      problem = this.#host.problemOfNumber()
      if (problem === undefined) break
    }
    this.#waiting.delete(socket)
    if (problem !== undefined) {
      this.#host.refuse(socket, problem)
      return
    }
    socket.off('error', ignore)
    this.#host.admit(socket)
  }
}

function moment(): Promise<void> {
  return wait(grace)
}

function ignore(): void {}
