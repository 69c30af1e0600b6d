import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** What one broker tells another one of the same directory. It only says where to look: what holds is what stands in the directory. */
export type Hint =
  /** A session of the other's has new entries, or another owner. */
  readonly ['session', clientId: string] | readonly ['group', name: string, publisher: string | null]

/** Hints that may wait for one peer; what is more is lost, and found by the look that everybody takes once a second. */
const maximumWaiting = 10_000

interface Peer {
  readonly socket: Socket
  waiting: Hint[]
}

/** Carries hints between the processes that have a directory open, over a socket of each. */
export class News {
  readonly #received: (hint: Hint) => void
  readonly #server: Server
  readonly #guests = new Set<Socket>()
  readonly #peers = new Map<string, Peer>()
  #flushing = false
  #closed = false

  constructor(received: (hint: Hint) => void) {
    this.#received = received
    this.#server = createServer(socket => this.#listen(socket))
    this.#server.unref()
  }

  async open(address: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(address, () => {
        this.#server.off('error', reject)
        // What fails from now on costs hints alone.
        this.#server.on('error', () => {})
        resolve()
      })
    })
  }

  /** Sends a hint at the end of the turn, with all others for the same peer. */
  tell(address: string, hint: Hint): void {
    if (this.#closed) return
    let peer = this.#peers.get(address)
    if (peer === undefined) {
      peer = { socket: this.#connect(address), waiting: [] }
      this.#peers.set(address, peer)
    }
    if (peer.waiting.length < maximumWaiting) peer.waiting.push(hint)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.#flush())
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { socket } of this.#peers.values()) socket.destroy()
    for (const guest of this.#guests) guest.destroy()
    this.#peers.clear()
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve())
    })
  }

  #connect(address: string): Socket {
    const socket = createConnection(address)
    socket.unref()
    socket.on('error', () => {})
    socket.once('close', () => {
      if (this.#peers.get(address)?.socket === socket) this.#peers.delete(address)
    })
    return socket
  }

  #flush(): void {
    this.#flushing = false
    for (const peer of this.#peers.values()) {
      // A peer that does not read is asked to read no more.
      if (peer.waiting.length === 0 || peer.socket.writableNeedDrain) continue
      peer.socket.write(`${JSON.stringify(peer.waiting)}\n`)
      peer.waiting = []
    }
  }

  #listen(socket: Socket): void {
    this.#guests.add(socket)
    socket.unref()
    socket.on('error', () => {})
    socket.once('close', () => this.#guests.delete(socket))
    createInterface({ input: socket }).on('line', line => {
      for (const hint of parse(line)) this.#received(hint)
    })
  }
}

/** Whether a process listens at the address. */
export async function hasListener(address: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(address)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** A line that is none of ours says nothing. */
function parse(line: string): readonly Hint[] {
  try {
    const hints: unknown = JSON.parse(line)
    return Array.isArray(hints) ? hints.filter(hint => isHint(hint)) : []
  } catch {
    return []
  }
}

function isHint(hint: unknown): hint is Hint {
  if (!Array.isArray(hint) || typeof hint[1] !== 'string') return false
  return hint[0] === 'session' || (hint[0] === 'group' && (hint[2] === null || typeof hint[2] === 'string'))
}
