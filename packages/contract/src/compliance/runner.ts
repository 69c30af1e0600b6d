/** Any runner's way to define a test: `test` of vitest, node:test, jest or mocha's `it`. */
export type DefineTest = (title: string, run: () => Promise<void>) => unknown
