// Loaded before each test file of Aedes (`node --import`): its `../aedes.js` becomes `aedes-here.mjs`. Packages that Aedes does
// not install for its users are found where this repository has them.
import Module, { createRequire, register } from 'node:module'
import { fileURLToPath } from 'node:url'

register('./import-hooks.mjs', import.meta.url)

const require = createRequire(import.meta.url)
const resolveFilename = Module._resolveFilename
// Import hooks do not see `require`.
Module._resolveFilename = function resolve(name, ...rest) {
  if (name === '../aedes.js') return fileURLToPath(new URL('./aedes-here.mjs', import.meta.url))
  return Reflect.apply(resolveFilename, this, [name, ...rest])
}
// `require` of an ES module warns in Node.js 20, and the test runner shows each warning.
require('node:process').removeAllListeners('warning')
// A test that waits for what never comes would end its file, and the tests behind it: it has a time limit instead.
setInterval(() => undefined, 60_000)
