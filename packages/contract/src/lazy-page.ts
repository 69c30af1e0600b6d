import type { MaybePromise } from './maybe-promise.ts'

/** Some of many items, as far as they were found at small cost. Either an array, made of what was there at one moment; or something lazy
 * that gives each item as it is when it is asked for, and undefined after a small step that has found none (a tenth of a
 * millisecond), so that others can be served in between. */
export interface LazyPage<Item> extends Iterable<Item | undefined> {
  /** What follows behind this page; undefined: nothing. */
  readonly more?: (() => MaybePromise<LazyPage<Item>>) | undefined
}
