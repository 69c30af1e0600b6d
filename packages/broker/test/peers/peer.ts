export type QoS = 0 | 1 | 2
export type Version = 3 | 4 | 5

/** A version as the specifications are called. */
export const versionNames: Record<Version, string> = { 3: '3.1', 4: '3.1.1', 5: '5.0' }

export interface Sent {
  readonly topic: string
  readonly payload: string
  readonly qos: QoS
  readonly retain?: boolean
}

export type Received = Required<Sent>

export interface Subscriber {
  /** The next message, in the order of arrival. */
  next(): Promise<Received>
  /** Disconnects. */
  leave(): Promise<void>
}

/** A kind of client, and what the tests ask of it. */
export interface Peer {
  readonly name: string
  /** Settles when the broker has acknowledged it, or at QoS 0 when it is written. */
  publish(url: string, message: Sent): Promise<void>
  /** Settles when the subscription is in force. */
  subscribe(url: string, filter: string, qos: QoS): Promise<Subscriber>
  /** Subscribes in a session that outlives the connection, and leaves. */
  openSession(url: string, clientId: string, filter: string): Promise<void>
  /** Connects to that session again. */
  resumeSession(url: string, clientId: string, filter: string): Promise<Subscriber>
  /** Connects with a will, and loses the connection without DISCONNECT. */
  dieWithWill(url: string, will: Sent): Promise<void>
}

/** Things that come one after another, and who waits for them. */
export class Inbox<T> {
  readonly #arrived: T[] = []
  readonly #waiting: ((value: T) => void)[] = []

  add(value: T): void {
    const take = this.#waiting.shift()
    if (take === undefined) this.#arrived.push(value)
    else take(value)
  }

  next(): Promise<T> {
    const value = this.#arrived.shift()
    if (value !== undefined) return Promise.resolve(value)
    return new Promise(resolve => {
      this.#waiting.push(resolve)
    })
  }
}
