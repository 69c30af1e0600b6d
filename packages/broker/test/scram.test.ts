import { test } from 'vitest'
import { x } from '../examples/scram-sha-256.ts'
test('x', () => { console.log(x) })
