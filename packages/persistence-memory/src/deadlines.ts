/** A moment at which something falls due. Owned by the {@link Deadlines} that made it. */
export interface Deadline<Subject> {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly subject: Subject
}

class Entry<Subject> implements Deadline<Subject> {
  readonly at: number
  readonly subject: Subject
  /** Among equal times the earlier set comes first. */
  readonly order: number
  pending = true

  constructor(at: number, subject: Subject, order: number) {
    this.at = at
    this.subject = subject
    this.order = order
  }

  before(other: Entry<Subject>): boolean {
    return this.at < other.at || (this.at === other.at && this.order < other.order)
  }
}

/** Deadlines by time: a binary heap. A cancelled one stays inside until it comes up or until it is in the majority, so
 * cancelling is O(1) amortised and garbage never exceeds what is pending (plus a few). */
export class Deadlines<Subject> {
  #heap: Entry<Subject>[] = []
  #cancelled = 0
  #order = 0

  /** Deadlines that are neither cancelled nor taken. */
  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Slots in use, cancelled ones included. */
  get footprint(): number {
    return this.#heap.length
  }

  set(at: number, subject: Subject): Deadline<Subject> {
    const entry = new Entry(at, subject, (this.#order += 1))
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
    return entry
  }

  /** Harmless for one that was cancelled or taken already. */
  cancel(deadline: Deadline<Subject>): void {
    if (!(deadline instanceof Entry) || !deadline.pending) return
    deadline.pending = false
    this.#cancelled += 1
    if (this.#cancelled > 16 && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  /** Takes the earliest deadline that is not after `now`. */
  take(now: number): Deadline<Subject> | undefined {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || (first.pending && first.at > now)) return undefined
      this.#removeFirst()
      if (first.pending) {
        first.pending = false
        return first
      }
      this.#cancelled -= 1
    }
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(entry => entry.pending)
    this.#cancelled = 0
    for (let index = (this.#heap.length >>> 1) - 1; index >= 0; index -= 1) this.#sink(index)
  }

  #rise(start: number): void {
    const heap = this.#heap
    let index = start
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!this.#isBefore(index, parent)) return
      this.#swap(heap, index, parent)
      index = parent
    }
  }

  #sink(start: number): void {
    const heap = this.#heap
    let index = start
    for (;;) {
      const left = index * 2 + 1
      if (left >= heap.length) return
      const right = left + 1
      const child = right < heap.length && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(child, index)) return
      this.#swap(heap, index, child)
      index = child
    }
  }

  #isBefore(one: number, other: number): boolean {
    const first = this.#heap[one]
    const second = this.#heap[other]
    return first !== undefined && second !== undefined && first.before(second)
  }

  #swap(heap: Entry<Subject>[], one: number, other: number): void {
    const first = heap[one]
    const second = heap[other]
    if (first === undefined || second === undefined) return
    heap[one] = second
    heap[other] = first
  }
}
