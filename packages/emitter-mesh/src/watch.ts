import { brokerIdOf } from '@x/emitter-parts'
import { MeshError } from './mesh-error.ts'
import type { MeshPeer } from './mesh-peer.ts'

/** What the watch over the peers needs, and whom it tells. */
export interface WatchHost {
  /** ms. */
  readonly lease: number
  readonly routeTimeout: number
  peers(): Iterable<MeshPeer>
  /** The peer counts as gone. */
  giveUp(peer: MeshPeer, error: MeshError): void
}

/** ms between two looks, at most. */
const longestInterval = 250
/** Questions that a silent peer is asked during its lease, at least. One that asks is heard, so that one of two asks. */
const questions = 10

/** Looks whether the peers are alive, and whether this process was: one that was stopped does not know what its peers have told meanwhile,
 * and asks before it acknowledges anything. */
export class Watch {
  readonly #host: WatchHost
  /** ms. */
  readonly #interval: number
  /** ms without a look, beyond which this process was stopped. */
  readonly #longestTurn: number
  #timer: NodeJS.Timeout | undefined
  #lookedAt = performance.now()
  #catchingUp: Promise<void> | undefined

  constructor(host: WatchHost) {
    const { lease, routeTimeout } = host
    this.#host = host
    this.#interval = Math.max(10, Math.min(longestInterval, lease / questions))
    this.#longestTurn = Math.max(2 * this.#interval, Math.min(routeTimeout === 0 ? lease : routeTimeout, lease / 2))
  }

  begin(): void {
    this.#timer = setInterval(() => this.#look(), this.#interval).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** What has to be waited for before a message is published, since a filter may be missing; undefined: nothing. */
  catchingUp(): Promise<void> | undefined {
    this.#notice(performance.now())
    return this.#catchingUp
  }

  /** Others wait for this broker's confirmation of a filter for `routeTimeout` alone. */
  #notice(now: number): void {
    const { routeTimeout } = this.#host
    const stopped = now - this.#lookedAt
    this.#lookedAt = now
    if (stopped < this.#longestTurn) return
    const peers = [...this.#host.peers()]
    for (const peer of peers) peer.excuse(now)
    if (routeTimeout === 0 || peers.length === 0) return
    const answers = Promise.all(peers.map(async peer => peer.caughtUp(now)))
    const caughtUp = Promise.race([answers, delay(routeTimeout)]).then(() => {
      if (this.#catchingUp === caughtUp) this.#catchingUp = undefined
    })
    this.#catchingUp = caughtUp
  }

  #look(): void {
    const now = performance.now()
    this.#notice(now)
    const { lease } = this.#host
    for (const peer of this.#host.peers()) {
      const { waitsSince } = peer.link
      if (now - peer.heardAt > lease) this.#giveUp(peer, 'UNAVAILABLE', `has been silent for ${lease} ms`)
      else if (waitsSince !== undefined && now - waitsSince > lease) {
        this.#giveUp(peer, 'PEER_STALLED', `has confirmed nothing for ${lease} ms`)
      } else if (now - peer.heardAt >= lease / questions) peer.ask(now)
    }
  }

  #giveUp(peer: MeshPeer, code: 'UNAVAILABLE' | 'PEER_STALLED', what: string): void {
    this.#host.giveUp(
      peer,
      new MeshError(code, { message: `broker ${brokerIdOf(peer.instance)} ${what}: it counts as gone` }),
    )
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, milliseconds).unref()
  })
}
