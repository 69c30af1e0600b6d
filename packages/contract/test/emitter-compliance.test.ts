import { test } from 'vitest'
import { emitterCompliance } from '../src/compliance/emitter.ts'
import { Hub, ReferenceEmitter } from './reference-emitter.ts'

emitterCompliance({
  test,
  factory: () => {
    const hub = new Hub()
    return { emitter: () => new ReferenceEmitter(hub) }
  },
})
