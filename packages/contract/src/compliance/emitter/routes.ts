import assert from 'node:assert/strict'
import type { DefineEmitterTest } from './bench.ts'

/** Filter, topics that match it, topics that don't. MQTT 5.0 §4.7 */
const filters: readonly (readonly [filter: string, matching: readonly string[], others: readonly string[]])[] = [
  ['a/b', ['a/b'], ['a', 'a/b/c', 'A/b', 'a/b/']],
  ['a/+', ['a/b', 'a/'], ['a', 'a/b/c']],
  ['a/#', ['a', 'a/b', 'a/b/c'], ['ab', 'b/a']],
  ['+/b', ['a/b', '/b'], ['$a/b', 'b']],
  ['#', ['a', '/', 'a/b'], ['$SYS/a']],
  ['$SYS/#', ['$SYS/a'], ['a']],
]

/** Tests of `addRoute`, `removeRoute` and of what `close` does to routes. */
export function routeTests(define: DefineEmitterTest): void {
  for (const [filter, matching, others] of filters) {
    define(`brings to a route of ${filter} what matches it and nothing else`, async bench => {
      const one = await bench.broker('one')
      const two = await bench.broker('two', filter)
      for (const topic of [...others, ...matching]) await one.emitter.publish(bench.message({ topic, text: topic }))
      await bench.soon(() => assert.deepEqual(two.host.texts, matching))
    })
  }

  define('brings a message to every other broker with a matching route, and to none without', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    const three = await bench.broker('three', '#')
    const four = await bench.broker('four', 'b')
    const five = await bench.broker('five')
    await one.emitter.publish(bench.message({ text: 'x' }))
    const hosts = [two, three, four, five].map(({ host }) => host)
    await bench.soon(() => {
      assert.deepEqual(
        hosts.map(({ texts }) => texts),
        [['x'], ['x'], [], []],
      )
    })
  })

  define('brings one copy, however many routes of a broker match', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a', '+', '#', 'a')
    await one.emitter.publish(bench.message({ text: 'x' }))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['x']))
  })

  define('never brings a message back to the broker that published it', async bench => {
    const one = await bench.broker('one', 'a', '#')
    const two = await bench.broker('two', 'a')
    await one.emitter.publish(bench.message({ text: 'x' }))
    await bench.soon(() => {
      assert.deepEqual(one.host.texts, [])
      assert.deepEqual(two.host.texts, ['x'])
    })
  })

  define('has a route from the answer to addRoute on', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two')
    await one.emitter.publish(bench.message({ text: 'before' }))
    await bench.settle()
    await two.emitter.addRoute('a')
    assert.equal(one.emitter.reaches('a'), true)
    await one.emitter.publish(bench.message({ text: 'after' }))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['after']))
  })

  define('brings QoS 0 to a route that needs no more, and everything to one that does', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two')
    await two.emitter.addRoute('a', 0)
    await one.emitter.publish(bench.message({ qos: 0, text: 'QoS 0' }))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['QoS 0']))
    await two.emitter.addRoute('a', 2)
    await two.emitter.removeRoute('a', 0)
    await bench.settle()
    for (const qos of [0, 1, 2] as const) await one.emitter.publish(bench.message({ qos, text: `again ${qos}` }))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['QoS 0', 'again 0', 'again 1', 'again 2']))
  })

  define('never denies that it reaches somebody', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two')
    await two.emitter.addRoute('zero', 0)
    await two.emitter.addRoute('all/#', 2)
    await two.emitter.addRoute('$share/g/shared/+', 0)
    for (const topic of ['zero', 'all', 'all/x/y', 'shared/x']) assert.equal(one.emitter.reaches(topic), true, topic)
    for (const topic of ['zero', 'all/x', 'shared/x', 'other']) {
      if (!one.emitter.reaches(topic)) await one.emitter.publish(bench.message({ topic, qos: 0, text: 'denied' }))
    }
    await bench.soon(() => assert.deepEqual(two.host.texts, []))
  })

  define('has a route that is added, removed and added in one turn, by whichever of two answers', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'b')
    const removing = two.emitter.removeRoute('b')
    await Promise.all([two.emitter.addRoute('a'), two.emitter.addRoute('a'), two.emitter.addRoute('b'), removing])
    for (const topic of ['a', 'b']) await one.emitter.publish(bench.message({ topic, text: topic }))
    await two.emitter.removeRoute('a')
    await bench.settle()
    await one.emitter.publish(bench.message({ text: 'again' }))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['a', 'b', 'again']))
  })

  define('counts routes: each addRoute needs its removeRoute', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a', 'a', 'b')
    for (const text of ['two left', 'one left']) {
      await one.emitter.publish(bench.message({ text }))
      await bench.soon(() => assert.equal(two.host.texts.at(-1), text))
      await two.emitter.removeRoute('a')
      await bench.settle()
    }
    await one.emitter.publish(bench.message({ text: 'none left' }))
    await bench.settle()
    await one.emitter.publish(bench.message({ topic: 'b', text: 'other route' }))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['two left', 'one left', 'other route']))
  })

  define('has no routes of a broker that has closed, also when it opens again', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    await two.emitter.close()
    await one.emitter.publish(bench.message({ text: 'while closed' }))
    await bench.settle()
    const again = await bench.broker('two')
    await one.emitter.publish(bench.message({ text: 'while without routes' }))
    await bench.soon(() => {
      assert.deepEqual(two.host.texts, [])
      assert.deepEqual(again.host.texts, [])
    })
  })

  define('closes any number of times', async bench => {
    const one = await bench.broker('one')
    await one.emitter.close()
    await one.emitter.close()
  })
}
