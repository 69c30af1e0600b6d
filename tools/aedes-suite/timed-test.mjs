// `node:test` with a time limit for each test: without one a test that waits for what never comes ends its file, and the tests
// behind it with it.
import { readFileSync } from 'node:fs'
import * as runner from 'node:test'

// Three times what the slowest one takes where other work has the cores.
const timeLimit = 15_000
const file = process.argv[1]
/** What the file has from inside Aedes. */
const inner = [...readFileSync(file, 'utf8').matchAll(/^import (.*) from '\.\.\/lib\//gm)]
  .flatMap(([, names]) => names.split(/[{},\s]+/))
  // `Client` is documented, and a hook's client is asked whether it is one.
  .filter(name => name !== '' && name !== 'Client')
const innerCall = new RegExp(`(?<![.\\w])(?:${['\\0', ...inner].join('|')})\\(`)

/** Marks tests of what Aedes neither exports nor documents: its modules, and fields that begin with `_` (a socket has such, too) . */
const mark = run => (/\._(?!handle\b)[a-z]/.test(run) || innerCall.test(run) ? 'private: ' : '')

export function test(name, ...rest) {
  const run = rest.pop()
  return runner.test(`${mark(String(run))}${name}`, { timeout: timeLimit, ...rest[0] }, run)
}
export const { after, before, describe } = runner
