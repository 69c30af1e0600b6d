import type { PluggableBroker } from '@x/contract'

type Kind = 'subscribe' | 'unsubscribe'
type Named = { readonly id: string | null }
interface Filter {
  readonly topic: string
  readonly qos: number
}

/** SUBACK. MQTT 3.1.1 §3.9.3 */
const denied = 128

/** Lines about the subscriptions of clients, as Mosquitto writes them: `CLIENT QOS FILTER`, and `CLIENT FILTER` for one that ends. What
 * nobody wants to see is not listened to. */
export class SubscriptionLines {
  readonly #add: (kind: Kind, text: string) => void
  #broker: PluggableBroker | undefined
  #shown: readonly Kind[] = []
  readonly #listeners = {
    subscribe: (filters: readonly Filter[], client: Named): void => {
      for (const { topic, qos } of filters)
        if (qos !== denied) this.#add('subscribe', `${client.id ?? ''} ${qos} ${topic}`)
    },
    unsubscribe: (filters: readonly string[], client: Named & { readonly closed?: boolean }): void => {
      // A session that ends takes its subscriptions with it, without a packet.
      if (client.closed === true) return
      for (const filter of filters) this.#add('unsubscribe', `${client.id ?? ''} ${filter}`)
    },
  }

  constructor(add: (kind: Kind, text: string) => void) {
    this.#add = add
  }

  /** @param broker undefined: there is none to listen to
   * @param wanted what is shown; other words mean nothing here */
  show(broker: PluggableBroker | undefined, wanted: readonly string[]): void {
    for (const kind of this.#shown) this.#broker?.off(kind, this.#listeners[kind])
    this.#broker = broker
    this.#shown =
      broker === undefined ? [] : (['subscribe', 'unsubscribe'] as const).filter(kind => wanted.includes(kind))
    for (const kind of this.#shown) broker?.on(kind, this.#listeners[kind])
  }
}
