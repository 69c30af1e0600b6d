import type { Persistence, SharedTasks as Tasks } from '@x/contract'

/** Gives tasks to this broker as its store says; a store that gives none is this broker's alone. */
export class SharedTasks implements Tasks {
  readonly #store: Persistence

  constructor(store: Persistence) {
    this.#store = store
  }

  get isShared(): boolean {
    return this.#store.supports.tasks === true
  }

  async hold(name: string): Promise<boolean> {
    return (await this.#store.holdTask?.(name)) ?? true
  }

  async giveUp(name: string): Promise<void> {
    await this.#store.giveUpTask?.(name)
  }
}
