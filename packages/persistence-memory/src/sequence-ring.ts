/** Items in ascending order of `sequence`, found again and removed by it, in any order.
 *
 * A ring and not a Map: pushing and removing in order, which is what a healthy client does, touches one slot each. When
 * nothing was dropped from the middle, an item lies exactly `sequence - first` slots behind the first one; otherwise it
 * is found by binary search. Holds no array while it is empty. */
export class SequenceRing<Item extends { readonly sequence: number }> {
  /** Power-of-two ring. A removed item leaves its sequence behind, so that searching still works. */
  #slots: (Item | number | undefined)[] | undefined
  #head = 0
  #length = 0
  #size = 0

  /** Items. */
  get size(): number {
    return this.#size
  }

  /** Places, including those of removed items: the bound for `itemAt`. */
  get length(): number {
    return this.#length
  }

  /** Slots held; 0 while empty. */
  get footprint(): number {
    return this.#slots?.length ?? 0
  }

  /** Appends an item; its sequence must be above all others. Amortised O(1). */
  push(item: Item): void {
    let slots = this.#slots
    if (slots === undefined) {
      slots = [undefined, undefined, undefined, undefined]
      this.#slots = slots
    } else if (this.#length === slots.length) {
      slots = this.#rebuild(slots, this.#size * 2 > slots.length ? slots.length * 2 : slots.length)
    }
    slots[(this.#head + this.#length) & (slots.length - 1)] = item
    this.#length += 1
    this.#size += 1
  }

  /** The item at a place; undefined where it was removed. Places move with every `push` and `remove`. */
  itemAt(place: number): Item | undefined {
    const slot = this.#slotAt(place)
    return typeof slot === 'number' ? undefined : slot
  }

  get(sequence: number): Item | undefined {
    const item = this.itemAt(this.placeOf(sequence))
    return item?.sequence === sequence ? item : undefined
  }

  /** The first place whose sequence is not below `sequence`; `length` when there is none. */
  placeOf(sequence: number): number {
    if (this.#length === 0) return 0
    const offset = sequence - this.#sequenceAt(0)
    if (offset <= 0) return 0
    if (offset < this.#length && this.#sequenceAt(offset) === sequence) return offset
    // Sequences ascend by at least one, so the place can't be further than the offset.
    let low = 0
    let high = Math.min(offset, this.#length)
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sequenceAt(middle) < sequence) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Removes and returns the item; undefined when it isn't there. Amortised O(1) without drops from the middle. */
  remove(sequence: number): Item | undefined {
    const slots = this.#slots
    if (slots === undefined) return undefined
    const place = this.placeOf(sequence)
    const item = this.itemAt(place)
    if (item === undefined || item.sequence !== sequence) return undefined
    this.#size -= 1
    if (this.#size === 0) {
      this.clear()
      return item
    }
    slots[(this.#head + place) & (slots.length - 1)] = sequence
    if (place === 0) this.#trim(slots)
    if (slots.length > 32 && this.#size * 8 < slots.length) this.#rebuild(slots, slots.length / 2)
    return item
  }

  clear(): void {
    this.#slots = undefined
    this.#head = 0
    this.#length = 0
    this.#size = 0
  }

  #slotAt(place: number): Item | number | undefined {
    const slots = this.#slots
    if (slots === undefined || place >= this.#length) return undefined
    return slots[(this.#head + place) & (slots.length - 1)]
  }

  #sequenceAt(place: number): number {
    const slot = this.#slotAt(place)
    return typeof slot === 'object' ? slot.sequence : (slot ?? 0)
  }

  /** Invariant: the first place always holds an item, so the ring is as short as its oldest item allows. */
  #trim(slots: (Item | number | undefined)[]): void {
    const mask = slots.length - 1
    while (typeof slots[this.#head] === 'number') {
      slots[this.#head] = undefined
      this.#head = (this.#head + 1) & mask
      this.#length -= 1
    }
  }

  #rebuild(from: (Item | number | undefined)[], capacity: number): (Item | number | undefined)[] {
    const slots: (Item | number | undefined)[] = []
    for (let place = 0; place < this.#length; place += 1) {
      const slot = from[(this.#head + place) & (from.length - 1)]
      if (typeof slot === 'object') slots.push(slot)
    }
    this.#head = 0
    this.#length = slots.length
    while (slots.length < capacity) slots.push(undefined)
    this.#slots = slots
    return slots
  }
}
