/** A promise with its ends. */
export interface Deferred {
  readonly promise: Promise<void>
  resolve(answer?: Promise<void>): void
  reject(error: Error): void
}

/** Makes a promise that its maker settles. */
export function deferred(): Deferred {
  let ends: Omit<Deferred, 'promise'> | undefined
  const promise = new Promise<void>((resolve, reject) => {
    ends = { resolve, reject }
  })
  return { promise, resolve: answer => ends?.resolve(answer), reject: error => ends?.reject(error) }
}
