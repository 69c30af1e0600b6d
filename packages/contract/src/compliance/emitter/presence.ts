import assert from 'node:assert/strict'
import type { DefineEmitterTest } from './bench.ts'

/** Tests of `announce` and `presence`. */
export function presenceTests(define: DefineEmitterTest, reportsPresence: boolean): void {
  define('tells all other brokers where a client is connected now, and not its own', async bench => {
    const one = await bench.broker('one')
    const others = [await bench.broker('two'), await bench.broker('three', '#')]
    const ids = ['client', 'client', '', '"é\n$/#']
    for (const id of ids) await one.emitter.announce(id)
    await bench.soon(() => {
      assert.deepEqual(one.host.takenOverClients, [])
      for (const { host } of others) {
        assert.deepEqual(host.takenOverClients, ids)
        assert.deepEqual(host.delivered, [])
      }
    })
  })

  define('tells a closed broker nothing', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    await two.emitter.close()
    const known = two.host.presences.length
    await one.emitter.announce('client')
    await one.emitter.publish(bench.message())
    await one.emitter.close()
    await bench.soon(() => {
      assert.deepEqual(two.host.takenOverClients, [])
      assert.deepEqual(two.host.delivered, [])
      assert.equal(two.host.presences.length, known)
    })
  })

  if (!reportsPresence) {
    define('says nothing of other brokers, as it declares', async bench => {
      const one = await bench.broker('one')
      const two = await bench.broker('two')
      await two.emitter.close()
      await bench.soon(() => assert.deepEqual(one.host.presences, []))
    })
    return
  }

  define('tells when another broker is gone and when it is there again, and nothing of itself', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two')
    await bench.settle()
    await two.emitter.close()
    await bench.soon(() => assert.deepEqual(one.host.presences.at(-1), ['two', false]))
    await bench.broker('two')
    await bench.soon(() => {
      assert.deepEqual(one.host.presences.at(-1), ['two', true])
      assert.ok(one.host.presences.every(([brokerId]) => brokerId !== 'one'))
    })
  })
}
