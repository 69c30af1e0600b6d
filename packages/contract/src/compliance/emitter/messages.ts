import assert from 'node:assert/strict'
import type { DefineEmitterTest } from './bench.ts'

/** Those of a row of texts, each beginning with its number, that were published with this QoS, in turn from 0 to 2. */
function ofQoS(texts: readonly string[], qos: number): string[] {
  return texts.filter(text => Number.parseInt(text, 10) % 3 === qos)
}

/** Tests of `publish` and `deliver`. */
export function messageTests(define: DefineEmitterTest): void {
  define('brings everything that a message carries', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', '#')
    const message = {
      ...bench.message({
        topic: 'dévice/1',
        qos: 2,
        retain: true,
        publisher: 'somebody',
        expiresAt: 1_700_000_000_123,
      }),
      payload: Buffer.from([0, 255, 10, 13, 128]),
      properties: Uint8Array.of(0x03, 0, 1, 0x61),
      brokerCounter: 2 ** 40,
    }
    const bare = { ...bench.message({ publisher: undefined, qos: 0 }), payload: Buffer.alloc(0) }
    await one.emitter.publish(message)
    await one.emitter.publish(bare)
    await bench.soon(() => {
      for (const [index, sent] of [message, bare].entries()) {
        const arrived = two.host.delivered[index]
        assert.ok(arrived !== undefined)
        const { payload, properties, ...rest } = arrived
        const { payload: sentPayload, properties: sentProperties, ...expected } = sent
        assert.ok(Buffer.isBuffer(payload))
        assert.deepEqual([...payload], [...sentPayload])
        assert.deepEqual(properties && [...properties], sentProperties && [...sentProperties])
        assert.deepEqual({ ...rest }, expected)
      }
    })
  })

  define('keeps the order of one publisher on one topic', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    const order = Array.from({ length: 100 }, (_, index) => `${index}`)
    await Promise.all(order.map(async text => one.emitter.publish(bench.message({ text }))))
    await bench.soon(() => assert.deepEqual(two.host.texts, order))
  })

  define('keeps the order of each QoS, with large messages among small ones', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    const order = Array.from({ length: 30 }, (_, index) => `${index} ${'x'.repeat(index % 10 === 5 ? 300_000 : 0)}`)
    const publish = async (text: string, index: number): Promise<void> =>
      one.emitter.publish(bench.message({ text, qos: (index % 3) as 0 | 1 | 2 }))
    await Promise.all(order.map(publish))
    await bench.soon(() => {
      assert.equal(two.host.texts.length, order.length)
      for (const qos of [0, 1, 2]) assert.deepEqual(ofQoS(two.host.texts, qos), ofQoS(order, qos))
    })
  })

  define('keeps the order while the receiver is slow', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    const order = Array.from({ length: 20 }, (_, index) => `${index}`)
    const handled: string[] = []
    const done = new Promise<void>(resolve => {
      two.host.answer = async message => {
        await bench.settle()
        handled.push(message.payload.toString())
        if (handled.length === order.length) resolve()
      }
    })
    await Promise.all([...order.map(async text => one.emitter.publish(bench.message({ text }))), done])
    assert.deepEqual(handled, order)
  })

  define('holds back further messages of a broker until deliver has answered', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    const held: (() => void)[] = []
    two.host.answer = () => new Promise<void>(resolve => void held.push(resolve))
    const publishing = ['x', 'y'].map(async text => one.emitter.publish(bench.message({ text })))
    await bench.soon(() => assert.deepEqual(two.host.texts, ['x']))
    two.host.answer = () => undefined
    for (const release of held) release()
    await Promise.all(publishing)
    await bench.soon(() => assert.deepEqual(two.host.texts, ['x', 'y']))
  })

  define('brings QoS 1 and 2 messages that were answered, though their publisher closes at once', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    for (const qos of [1, 2] as const) await one.emitter.publish(bench.message({ qos, text: `QoS ${qos}` }))
    await one.emitter.close()
    await bench.soon(() => assert.deepEqual(two.host.texts, ['QoS 1', 'QoS 2']))
  })

  define('delivers bytes that stay what they were when the publisher’s are overwritten', async bench => {
    const one = await bench.broker('one')
    const two = await bench.broker('two', 'a')
    const message = bench.message({ text: 'x' })
    await one.emitter.publish(message)
    message.payload.fill(0)
    await bench.soon(() => assert.deepEqual(two.host.texts, ['x']))
  })
}
