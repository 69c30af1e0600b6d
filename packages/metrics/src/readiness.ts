/** Whether a broker can do its work now. */
export interface Readiness {
  readonly ready: boolean
  /** Why not, one sentence each; empty when ready. */
  readonly reasons: readonly string[]
}

/** What readiness is decided by. */
export interface ReadinessChecks {
  /** Asks the broker and its store for their numbers: who can't answer can't serve either. */
  readonly ask: () => Promise<unknown>
  /** ms that the store may take. */
  readonly timeout: number
  /** What the program has to say against it; empty: nothing. */
  readonly program: () => readonly string[]
}

/** Requests that come while the store is asked share its answer, so that many of them cost it no more than one. */
export class ReadinessProbe {
  readonly #checks: ReadinessChecks
  #asking: Promise<string | undefined> | undefined

  constructor(checks: ReadinessChecks) {
    this.#checks = checks
  }

  async look(): Promise<Readiness> {
    const problem = await (this.#asking ??= this.#ask())
    const reasons = [...(problem === undefined ? [] : [problem]), ...this.#programReasons()]
    return { ready: reasons.length === 0, reasons }
  }

  async #ask(): Promise<string | undefined> {
    const { ask, timeout } = this.#checks
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>(resolve => {
      timer = setTimeout(resolve, timeout, `the store has not answered for ${timeout} ms`)
    })
    try {
      return await Promise.race([
        ask().then(
          () => undefined,
          (error: unknown) => `the store failed: ${messageOf(error)}`,
        ),
        late,
      ])
    } finally {
      clearTimeout(timer)
      this.#asking = undefined
    }
  }

  #programReasons(): readonly string[] {
    try {
      return this.#checks.program()
    } catch (error) {
      return [`the option readiness threw: ${messageOf(error)}`]
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
