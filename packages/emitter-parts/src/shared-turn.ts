/** Brokers with members of one shared group, that take turns. */
export class SharedTurn {
  readonly name: string
  readonly #members: string[] = []
  #place = 0

  constructor(name: string) {
    this.name = name
  }

  get size(): number {
    return this.#members.length
  }

  /** Whose turn it is. */
  get current(): string | undefined {
    return this.#members[this.#place % this.#members.length]
  }

  has(instance: string): boolean {
    return this.#members.includes(instance)
  }

  advance(): void {
    this.#place = (this.#place + 1) % this.#members.length
  }

  add(instance: string): void {
    if (!this.has(instance)) this.#members.push(instance)
  }

  remove(instance: string): void {
    const index = this.#members.indexOf(instance)
    if (index >= 0) this.#members.splice(index, 1)
  }
}
