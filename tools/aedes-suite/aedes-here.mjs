// What stands in for `aedes.js`: this broker, with the store and the emitter that Aedes makes for itself, since its tests look
// into both.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../packages/aedes-compat/package.json', import.meta.url))
const aedes = require('@x/broker')
const required = name => require(name).default ?? require(name)
const memory = required('aedes-persistence')
const mqemitter = required('mqemitter')

export class Aedes extends aedes.Aedes {
  constructor(options = {}) {
    const { concurrency = 100 } = options
    super({ persistence: memory(), mq: mqemitter({ concurrency, matchEmptyLevels: true }), ...options })
  }
}

export default aedes
