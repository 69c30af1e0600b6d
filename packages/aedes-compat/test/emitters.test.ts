import { emitterCompliance } from '@x/contract/compliance/emitter'
import mqemitter from 'mqemitter'
import mqemitterMongodb from 'mqemitter-mongodb'
import mqemitterRedis from 'mqemitter-redis'
import { afterAll, describe, expect, test } from 'vitest'
import { fromMqemitter } from '../src/index.ts'
import { startMongodb, tailableMissing } from './mongodb-server.ts'
import { redisMissing, startRedis } from './redis-server.ts'

type Make = (options?: unknown) => object

/** Aedes's brokers in one process share one object; what they would lose by closing it is not theirs to close. */
function shared(mq: object): object {
  return new Proxy(mq, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'close') return (done: () => void) => queueMicrotask(done)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('mqemitter', () => {
  emitterCompliance({
    test,
    reportsPresence: false,
    takesTurns: false,
    settleMilliseconds: 5,
    factory: () => {
      const mq = (mqemitter as Make)({ matchEmptyLevels: true })
      return { emitter: () => fromMqemitter(shared(mq)) }
    },
  })
})

describe.skipIf(redisMissing !== undefined)('mqemitter-redis', async () => {
  if (redisMissing !== undefined) return
  const server = await startRedis()
  afterAll(() => server.stop())
  emitterCompliance({
    test,
    reportsPresence: false,
    takesTurns: false,
    settleMilliseconds: 50,
    factory: () => ({
      emitter: () =>
        fromMqemitter((mqemitterRedis as Make)({ port: server.port, host: '127.0.0.1', enableReadyCheck: false })),
    }),
  })
})

describe.skipIf(tailableMissing !== undefined)('mqemitter-mongodb', async () => {
  if (tailableMissing !== undefined) return
  const server = await startMongodb()
  afterAll(() => server.stop())
  emitterCompliance({
    test,
    reportsPresence: false,
    takesTurns: false,
    settleMilliseconds: 50,
    factory: () => {
      const url = server.newDatabase()
      return { emitter: () => fromMqemitter((mqemitterMongodb as Make)({ url })) }
    },
  })
})

test('what is no emitter is refused, with what it lacks', () => {
  expect(() => fromMqemitter({ on: () => undefined, emit: () => undefined })).toThrow(
    'the emitter lacks removeListener(), close()',
  )
})

test('mqemitter-mongodb has what an emitter needs', () => {
  const { prototype } = mqemitterMongodb
  for (const name of ['on', 'removeListener', 'emit', 'close'])
    expect(Reflect.get(prototype, name)).toBeTypeOf('function')
})
