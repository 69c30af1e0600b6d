/** The end of something, for those who wait for it. It is made when somebody does. */
export class AwaitedEnd {
  #settle: (() => void) | undefined
  readonly promise: Promise<void> = new Promise(resolve => {
    this.#settle = resolve
  })

  /** The end has come. */
  come(): void {
    this.#settle?.()
  }
}
