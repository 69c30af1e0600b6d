import type { Message } from '@x/contract'
import { keepMessage } from '@x/contract'
import { encodeMessage } from './message-frame.ts'
import type { RouteLink, RoutePlan, RouteTable } from './route-table.ts'

/** A way to another broker that takes messages. */
export interface MessageLink extends RouteLink {
  /** Takes a QoS 0 message. */
  add(record: Buffer): void
  /** Takes one of QoS 1 or 2; settles when the other broker has it, or is gone. */
  addNumbered(record: Buffer, qos: 1 | 2): Promise<void>
}

/** What the sending of messages by their routes needs. */
export interface RoutedMessagesHost<Link extends MessageLink> {
  readonly table: RouteTable<Link>
  readonly brokerId: string
  /** Whether the client has connected to another broker since it was here. */
  isElsewhere(clientId: string): boolean
}

/** Messages of this broker, given to the links of all brokers with a matching route. */
export class RoutedMessages<Link extends MessageLink> {
  readonly #host: RoutedMessagesHost<Link>

  constructor(host: RoutedMessagesHost<Link>) {
    this.#host = host
  }

  /** Undefined: there is nothing to wait for. */
  publish(message: Message): Promise<void> | undefined {
    const { topic, qos } = message
    const plan = this.#host.table.plan(topic)
    if (qos === 0) {
      if (plan.turns.length > 0) this.#publishInTurns(message, plan)
      else if (plan.all.length > 0) {
        const record = this.#encode(message, [])
        for (const { link } of plan.all) link.add(record)
      }
      return undefined
    }
    const [first] = plan.atLeastOnce
    if (first === undefined) return undefined
    const record = encodeMessage(message, this.#host.brokerId, [])
    if (plan.atLeastOnce.length === 1) return first.link.addNumbered(record, qos)
    return Promise.all(plan.atLeastOnce.map(async ({ link }) => link.addNumbered(record, qos))).then(() => undefined)
  }

  /** A QoS 0 message. What comes of a client that is elsewhere by now comes late, and is dropped by its receiver, but for a will, which
   * goes without its publisher. */
  #encode(message: Message, groups: readonly string[]): Buffer {
    const { publisher, isWill } = message
    const isLast = isWill === true && publisher !== undefined && this.#host.isElsewhere(publisher)
    return encodeMessage(
      isLast ? { ...keepMessage(message), publisher: undefined } : message,
      this.#host.brokerId,
      groups,
    )
  }

  /** One broker of each group gets the message; those with routes of their own get it anyway. */
  #publishInTurns(message: Message, plan: RoutePlan<Link>): void {
    const receivers = this.#host.table.receivers(plan)
    for (const [{ link }, served] of receivers) link.add(this.#encode(message, served))
  }
}
