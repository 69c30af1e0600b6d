import assert from 'node:assert/strict'
import type { DefineEmitterTest } from './bench.ts'

const group = '$share/g/a/+'

/** Tests of routes of shared filters: `takesTurn` and the groups that come with a message. */
export function turnTests(define: DefineEmitterTest, takesTurns: boolean): void {
  if (!takesTurns) {
    define('leaves shared groups to each broker, as it declares', async bench => {
      const one = await bench.broker('one', group)
      const two = await bench.broker('two', group)
      assert.equal(one.emitter.takesTurn(group), true)
      await one.emitter.publish(bench.message({ topic: 'a/b', qos: 0, text: 'x' }))
      await bench.soon(() => {
        assert.deepEqual(two.host.texts, ['x'])
        assert.deepEqual(two.host.groups, [undefined])
      })
    })
    return
  }

  define('brings a QoS 0 message to one broker of a shared group, in turn', async bench => {
    const one = await bench.broker('one')
    const others = [await bench.broker('two', group), await bench.broker('three', group)]
    for (let count = 0; count < 10; count += 1) {
      await one.emitter.publish(bench.message({ topic: 'a/b', qos: 0, text: `${count}` }))
    }
    await bench.soon(() => {
      for (const { host } of others) {
        assert.equal(host.texts.length, 5)
        assert.deepEqual(
          host.groups,
          host.texts.map(() => [group]),
        )
      }
      assert.equal(new Set(others.flatMap(({ host }) => host.texts)).size, 10)
    })
  })

  define('counts the publishing broker among those that take turns', async bench => {
    const one = await bench.broker('one', group)
    const two = await bench.broker('two', group)
    const here: string[] = []
    for (let count = 0; count < 10; count += 1) {
      if (one.emitter.takesTurn(group)) here.push(`${count}`)
      await one.emitter.publish(bench.message({ topic: 'a/b', qos: 0, text: `${count}` }))
    }
    await bench.soon(() => {
      assert.equal(here.length, 5)
      assert.deepEqual(
        [...here, ...two.host.texts].toSorted(),
        Array.from({ length: 10 }, (_, count) => `${count}`),
      )
    })
  })

  define('brings a message once to a broker that serves a group and has routes beside it', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', group, 'a/b')
    const three = await bench.broker('three', 'a/#')
    await one.emitter.publish(bench.message({ topic: 'a/b', qos: 0, text: 'x' }))
    await bench.soon(() => {
      assert.deepEqual([two.host.texts, two.host.groups], [['x'], [[group]]])
      assert.deepEqual([three.host.texts, three.host.groups], [['x'], [[]]])
    })
  })

  define('gives every turn to those that are left', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', group)
    const three = await bench.broker('three', group)
    await three.emitter.close()
    await bench.soon(() => assert.deepEqual(one.host.presences.at(-1), ['three', false]))
    for (let count = 0; count < 3; count += 1) {
      await one.emitter.publish(bench.message({ topic: 'a/b', qos: 0, text: `${count}` }))
    }
    await bench.soon(() => assert.deepEqual(two.host.texts, ['0', '1', '2']))
    await two.emitter.addRoute(group)
    await two.emitter.removeRoute(group)
    assert.equal(two.emitter.takesTurn(group), true)
  })
}
