// `node:test` with a time limit for each test: without one a test that waits for what never comes ends its file, and the tests
// behind it with it.
import * as runner from 'node:test'

const timeLimit = 8000

export function test(name, ...rest) {
  const run = rest.pop()
  return runner.test(name, { timeout: timeLimit, ...rest[0] }, run)
}
export const { after, before, describe } = runner
