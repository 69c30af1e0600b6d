import type { Case, Conversation, Fault, Finding, Step } from './case.ts'

type Run = (trial: Case) => Promise<readonly Finding[]>

/** Runs of a case that one reduction may take. */
const most = 1500

/** The smallest case that can be found in reasonable time which still fails in the same way. */
export async function reduce(trial: Case, findings: readonly Finding[], run: Run): Promise<Case> {
  return new Reduction(findings, run).of(trial)
}

class Reduction {
  readonly #checks: ReadonlySet<string>
  readonly #run: Run
  #left = most

  constructor(findings: readonly Finding[], run: Run) {
    this.#checks = new Set(findings.map(keyOf))
    this.#run = run
  }

  async of(trial: Case): Promise<Case> {
    let small = trial
    for (let size = Number.POSITIVE_INFINITY; JSON.stringify(small).length < size && this.#left > 0;) {
      size = JSON.stringify(small).length
      small = await this.#fewer(small.conversations, conversations => ({ ...small, conversations }), small)
      small = await this.#fewerFaults(small)
      small = await this.#shorterConversations(small)
      small = await this.#simplerSurroundings(small)
      const before = small
      small = await this.#fewer(
        Object.entries(small.options),
        options => ({ ...before, options: Object.fromEntries(options) }),
        small,
      )
      small = await this.#shorterSteps(small)
    }
    return small
  }

  async #fails(trial: Case): Promise<boolean> {
    if (this.#left <= 0) return false
    this.#left -= 1
    return (await this.#run(trial)).some(finding => this.#checks.has(keyOf(finding)))
  }

  /** Leaves out as many parts as it can: halves first, then quarters, and so on. */
  async #fewer<Part>(parts: readonly Part[], make: (parts: readonly Part[]) => Case, whole: Case): Promise<Case> {
    let kept = parts
    let best = whole
    for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < kept.length;) {
        const fewer = [...kept.slice(0, at), ...kept.slice(at + size)]
        const candidate = make(fewer)
        if (await this.#fails(candidate)) {
          kept = fewer
          best = candidate
        } else at += size
      }
    }
    return best
  }

  async #fewerFaults(trial: Case): Promise<Case> {
    let small = await this.#fewer(Object.entries(trial.faults), faults => withFaults(trial, faults), trial)
    for (const [place, fault] of Object.entries(small.faults)) {
      const before = small
      small = await this.#fewer(
        fault.styles,
        styles => ({ ...before, faults: { ...before.faults, [place]: { ...fault, styles } } }),
        before,
      )
    }
    return small
  }

  async #shorterConversations(trial: Case): Promise<Case> {
    let small = trial
    for (const index of trial.conversations.keys()) {
      const before = small
      const conversation = before.conversations[index] as Conversation
      small = await this.#fewer(
        conversation.steps,
        steps => replaced(before, index, { ...conversation, steps }),
        before,
      )
      small = await this.#better(
        small,
        replaced(small, index, { ...(small.conversations[index] as Conversation), manner: 'silent' }),
      )
    }
    return small
  }

  async #simplerSurroundings(trial: Case): Promise<Case> {
    let small = trial
    for (const name of ['slowStore', 'trustProxy', 'sockets', 'cluster'] as const) {
      if (small[name]) small = await this.#better(small, { ...small, [name]: false })
    }
    return small
  }

  /** Sends without cuts, and with fewer bytes. */
  async #shorterSteps(trial: Case): Promise<Case> {
    let small = trial
    for (const [index, { steps }] of trial.conversations.entries()) {
      for (const [at, step] of steps.entries()) {
        if (step.do !== 'send') continue
        if (step.cuts !== undefined)
          small = await this.#better(small, withStep(small, index, at, { do: 'send', hex: step.hex }))
      }
    }
    return small
  }

  async #better(known: Case, candidate: Case): Promise<Case> {
    return (await this.#fails(candidate)) ? candidate : known
  }
}

/** What makes two findings the same: not the figures in them. */
function keyOf({ check, message }: Finding): string {
  return `${check} ${message.split(' | ').slice(0, 2).join(' | ').replaceAll(/\d+/g, 'n').slice(0, 160)}`
}

function withFaults(trial: Case, faults: readonly (readonly [string, Fault])[]): Case {
  return { ...trial, faults: Object.fromEntries(faults) }
}

function replaced(trial: Case, index: number, conversation: Conversation): Case {
  return { ...trial, conversations: trial.conversations.with(index, conversation) }
}

function withStep(trial: Case, index: number, at: number, step: Step): Case {
  const conversation = trial.conversations[index] as Conversation
  return replaced(trial, index, { ...conversation, steps: conversation.steps.with(at, step) })
}
