import { randomBytes } from 'node:crypto'
import type { LazyPage, MaybePromise, Slices } from '@x/contract'
import { Problem } from './problem.ts'

/** A page of a list, as it is sent. */
export interface ListPage<Item> {
  readonly items: readonly Item[]
  /** For the next page; null: this was the last one. */
  readonly cursor: string | null
}

/** Which page of what is wanted. */
export interface PageRequest<Found, Item> {
  /** What is listed, with its filters: a cursor belongs to one list. */
  readonly list: string
  readonly limit: number
  /** Of the page before; undefined: the first page. */
  readonly cursor: string | undefined
  readonly begin: () => MaybePromise<LazyPage<Found>>
  /** Undefined: not in this list. */
  readonly show: (found: Found) => Item | undefined
}

/** A list that somebody reads. */
interface OpenList {
  readonly list: string
  readonly walk: Walk
  /** Number of the page that comes next. */
  page: number
  /** The page before, in case that its response was lost. */
  last: ListPage<unknown>
  usedAt: number
}

/** Lists that are read at a time; beyond that the one that was not used for the longest time is forgotten. */
const maximumLists = 200
/** ms that a cursor is good for. */
const lifetime = 300_000

/** Reads lists page by page without ever walking through what was read before: between two pages it remembers where it is. Only one page at
 * a time is read of a list. */
export class Cursors {
  readonly #slices: () => Slices
  readonly #lists = new Map<string, OpenList>()

  /** @param slices those of the broker */
  constructor(slices: () => Slices) {
    this.#slices = slices
  }

  /** @throws Problem `CURSOR_INVALID` */
  async read<Found, Item>(request: PageRequest<Found, Item>): Promise<ListPage<Item>> {
    const { list, cursor, limit } = request
    this.#forgetOld()
    if (cursor === undefined) {
      const walk = new Walk(await request.begin(), request.show as (found: unknown) => unknown)
      const id = randomBytes(12).toString('base64url')
      return this.#next(id, { list, walk, page: 0, last: { items: [], cursor: null }, usedAt: 0 }, limit)
    }
    const [id = '', page = ''] = cursor.split('.', 2)
    const open = this.#lists.get(id)
    const number = Number(page)
    if (open === undefined || open.list !== list || open.walk.isBusy || number > open.page || number < open.page - 1) {
      throw new Problem('CURSOR_INVALID', 'begin again without a cursor: each is good for 5 minutes, and for one list')
    }
    if (number === open.page - 1) return open.last as ListPage<Item>
    return this.#next(id, open, limit)
  }

  async #next<Item>(id: string, open: OpenList, limit: number): Promise<ListPage<Item>> {
    const { items, isDone } = await open.walk.take(limit, this.#slices())
    open.page += 1
    open.usedAt = performance.now()
    open.last = { items, cursor: isDone ? null : `${id}.${open.page}` }
    // Behind those that were used before.
    this.#lists.delete(id)
    this.#lists.set(id, open)
    return open.last as ListPage<Item>
  }

  #forgetOld(): void {
    const now = performance.now()
    for (const [id, { usedAt }] of this.#lists) {
      if (this.#lists.size < maximumLists && now - usedAt < lifetime) return
      this.#lists.delete(id)
    }
  }
}

/** A list as far as it was walked through. */
class Walk {
  readonly #show: (found: unknown) => unknown
  #items: Iterator<unknown>
  #page: LazyPage<unknown>
  /** Found already: whether there is another page is known by one item more. */
  #ahead: unknown[] = []
  isBusy = false

  constructor(page: LazyPage<unknown>, show: (found: unknown) => unknown) {
    this.#page = page
    this.#items = page[Symbol.iterator]()
    this.#show = show
  }

  async take(limit: number, slices: Slices): Promise<{ readonly items: unknown[]; readonly isDone: boolean }> {
    this.isBusy = true
    try {
      const found = this.#ahead
      this.#ahead = []
      while (found.length <= limit) {
        let isEnd = false
        await slices.run(() => {
          const { done, value } = this.#items.next()
          isEnd = done === true
          const shown = done === true || value === undefined ? undefined : this.#show(value)
          if (shown !== undefined) found.push(shown)
          return !isEnd && found.length <= limit
        })
        if (!isEnd) break
        const more = await this.#page.more?.()
        if (more === undefined) return { items: found, isDone: true }
        this.#page = more
        this.#items = more[Symbol.iterator]()
      }
      this.#ahead = found.splice(limit)
      return { items: found, isDone: false }
    } finally {
      this.isBusy = false
    }
  }
}
