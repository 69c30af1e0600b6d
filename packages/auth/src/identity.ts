import type { Access, AccessAction, AccessRules, Decision, Rights, SubjectDetails } from './access-rules.ts'
import { isReserved } from './reserved-topics.ts'

/** Topics of one client whose decisions are remembered; when there are more, all of them are forgotten. */
const mostTopics = 256

/** Characters of the longest topic that a decision is kept for: 256 of 64 KB would be 16 MB of one client. */
const longestTopic = 256

/** Whose rights are asked for. */
export interface Subject extends SubjectDetails {
  readonly username: string | undefined
  readonly clientId: string
}

/** A connected client and its rights. A decision is made once for each topic that is not very long and remembered; the last one is found
 * without a look-up, since most clients publish to one topic many times in a row. */
export class Identity {
  readonly #rights: readonly Rights[]
  readonly #publish: Decisions
  readonly #receive: Decisions

  constructor({ username, clientId, ...details }: Subject, rules: readonly AccessRules[]) {
    const rights = rules.map(one => one.rightsOf(username, clientId, details))
    this.#rights = rights
    this.#publish = new Decisions('publish', rights)
    this.#receive = new Decisions('receive', rights)
  }

  mayPublish(topic: string): boolean {
    return this.#publish.of(topic)
  }

  mayReceive(topic: string): boolean {
    return this.#receive.of(topic)
  }

  maySubscribe(filter: string): boolean {
    return this.#rights.every(rights => rights.maySubscribe?.(filter) ?? true)
  }

  /** What decides: the first of the rules that refuses, or all that allow. */
  explain(action: AccessAction, topic: string): Decision {
    if (action === 'publish' && isReserved(topic)) return { isAllowed: false, why: "the topic is the broker's own" }
    const decisions = this.#rights.map(rights => rights.explain?.(action, topic) ?? unexplained(rights, action, topic))
    const refusal = decisions.find(({ isAllowed }) => !isAllowed)
    if (refusal !== undefined) return refusal
    return { isAllowed: true, why: decisions.map(({ why }) => why).join('; ') || 'there are no rules' }
  }

  mayUnsubscribe(filter: string): boolean {
    return this.#rights.every(rights => rights.mayUnsubscribe?.(filter) ?? true)
  }
}

class Decisions {
  readonly #access: Access
  readonly #rights: readonly Rights[]
  #topics: Map<string, boolean> | undefined
  #lastTopic: string | undefined
  #last = false

  constructor(access: Access, rights: readonly Rights[]) {
    this.#access = access
    this.#rights = rights
  }

  of(topic: string): boolean {
    if (topic === this.#lastTopic) return this.#last
    this.#last = this.#find(topic)
    this.#lastTopic = topic
    return this.#last
  }

  #find(topic: string): boolean {
    const known = this.#topics?.get(topic)
    if (known !== undefined) return known
    const decision = this.#decide(topic)
    if (topic.length > longestTopic) return decision
    this.#topics ??= new Map()
    if (this.#topics.size >= mostTopics) this.#topics.clear()
    this.#topics.set(topic, decision)
    return decision
  }

  /** All rules must permit it. */
  #decide(topic: string): boolean {
    if (this.#access === 'publish' && isReserved(topic)) return false
    return this.#rights.every(rights => rights.may(this.#access, topic))
  }
}

function unexplained(rights: Rights, action: AccessAction, topic: string): Decision {
  const isAllowed = action === 'subscribe' ? (rights.maySubscribe?.(topic) ?? true) : rights.may(action, topic)
  return { isAllowed, why: "rules of the program's own" }
}
