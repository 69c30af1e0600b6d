import type { Happening, HistoryEvent, QoS } from '../src/history.ts'

/** A history written by hand. One second passes with each event, unless more is asked for. */
export class HistoryBuilder {
  readonly events: HistoryEvent[] = []
  #at = 0
  #connections = 0
  readonly #open = new Map<string, number>()

  add(happening: Happening): this {
    this.events.push({ at: (this.#at += 1000), ...happening })
    return this
  }

  wait(seconds: number): this {
    this.#at += seconds * 1000
    return this
  }

  connect(
    client: string,
    options: Partial<Extract<Happening, { kind: 'connect' }>> & { present?: boolean } = {},
  ): this {
    const { present = false, ...rest } = options
    const connection = (this.#connections += 1)
    this.#open.set(client, connection)
    this.add({ kind: 'connect', client, connection, broker: 'broker-0', cleanStart: false, persistent: true, ...rest })
    return this.add({ kind: 'connected', client, connection, sessionPresent: present })
  }

  subscribed(client: string, filter: string, qos: QoS = 2): this {
    return this.add({ kind: 'subscribed', ...this.#of(client), filter, qos })
  }

  publish(client: string, message: string, options: Partial<Extract<Happening, { kind: 'publish' }>> = {}): this {
    return this.add({
      kind: 'publish',
      ...this.#of(client),
      message,
      topic: 'a',
      qos: 1,
      retain: false,
      dup: false,
      ...options,
    })
  }

  acknowledged(client: string, message: string, step: 'puback' | 'pubrec' = 'puback', reasonCode = 0): this {
    return this.add({ kind: 'acknowledged', ...this.#of(client), message, step, reasonCode })
  }

  received(client: string, message: string, options: Partial<Extract<Happening, { kind: 'received' }>> = {}): this {
    return this.add({
      kind: 'received',
      ...this.#of(client),
      message,
      topic: 'a',
      qos: 1,
      retain: false,
      dup: false,
      again: false,
      ...options,
    })
  }

  disconnecting(client: string, endsSession = false): this {
    return this.add({ kind: 'disconnecting', ...this.#of(client), endsSession })
  }

  closed(client: string, byPeer = true): this {
    return this.add({ kind: 'closed', ...this.#of(client), byPeer })
  }

  quiet(): this {
    return this.add({ kind: 'quiet', settled: true, detail: '' })
  }

  /** Later events are of this earlier connection. */
  back(client: string, connection: number): this {
    this.#open.set(client, connection)
    return this
  }

  #of(client: string): { client: string; connection: number } {
    return { client, connection: this.#open.get(client) ?? 0 }
  }
}
