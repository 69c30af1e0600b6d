/** A result that is there at once (a store in memory) or later (a store on a disk or in a network). The broker looks before it
 * awaits, so a synchronous result costs no promise. */
export type MaybePromise<T> = T | Promise<T>
