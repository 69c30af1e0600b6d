/** A runner that keeps tests instead of running them. */
export class Collector {
  readonly tests: { readonly title: string; readonly run: () => Promise<void> }[] = []
  readonly test = (title: string, run: () => Promise<void>): void => void this.tests.push({ title, run })

  /** Runs everything; returns the titles of what failed. */
  async failures(): Promise<string[]> {
    const failed: string[] = []
    for (const { title, run } of this.tests) {
      try {
        await run()
      } catch {
        failed.push(title)
      }
    }
    return failed
  }
}
