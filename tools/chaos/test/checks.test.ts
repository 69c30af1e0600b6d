import { describe, expect, test } from 'vitest'
import { violationsOf } from '../src/checks/all.ts'
import { matches } from '../src/checks/session-view.ts'
import type { StoreName } from '../src/store-service.ts'
import { HistoryBuilder } from './history-builder.ts'

/** Which checks find something. */
function found(history: HistoryBuilder): string[] {
  return violationsOf(history.events).map(({ check }) => check)
}

/** A subscriber with QoS 2 and a publisher, both connected. */
function pair(qos: 0 | 1 | 2 = 2, filter = '#'): HistoryBuilder {
  return new HistoryBuilder().connect('sub').subscribed('sub', filter, qos).connect('pub')
}

const qos2 = { qos: 2 } as const

describe('delivered', () => {
  test('an acknowledged message that came is fine, one that was never acknowledged need not come', () => {
    expect(found(pair().publish('pub', 'm').acknowledged('pub', 'm').received('sub', 'm').quiet())).toEqual([])
    expect(found(pair().publish('pub', 'm').quiet())).toEqual([])
    expect(found(pair().publish('pub', 'm').acknowledged('pub', 'm', 'puback', 0x97).quiet())).toEqual([])
  })
  test('finds a message of QoS 1 and of QoS 2 that was acknowledged and did not come', () => {
    expect(found(pair().publish('pub', 'm').acknowledged('pub', 'm').quiet())).toEqual(['delivered'])
    expect(found(pair().publish('pub', 'm', qos2).acknowledged('pub', 'm', 'pubrec').quiet())).toEqual(['delivered'])
  })
  test('finds it too when the subscriber was away', () => {
    const history = pair().closed('sub').publish('pub', 'm').acknowledged('pub', 'm')
    expect(found(history.connect('sub', { present: true }).quiet())).toEqual(['delivered'])
  })
  test('asks nothing of a subscription that was acknowledged later, has QoS 0, does not match, or has ended', () => {
    const late = new HistoryBuilder().connect('sub').connect('pub').publish('pub', 'm').subscribed('sub', '#')
    expect(found(late.acknowledged('pub', 'm').quiet())).toEqual([])
    expect(found(pair(0).publish('pub', 'm').acknowledged('pub', 'm').quiet())).toEqual([])
    expect(found(pair(1, 'b/+').publish('pub', 'm').acknowledged('pub', 'm').quiet())).toEqual([])
    expect(found(pair().publish('pub', 'm').acknowledged('pub', 'm').disconnecting('sub', true).quiet())).toEqual([])
  })
  test('asks of a session that ends with its connection what was acknowledged long before that', () => {
    const published = (): HistoryBuilder =>
      new HistoryBuilder()
        .connect('sub', { persistent: false })
        .subscribed('sub', '#')
        .connect('pub')
        .publish('pub', 'm')
        .acknowledged('pub', 'm')
    expect(found(published().quiet())).toEqual(['delivered'])
    expect(found(published().received('sub', 'm').quiet())).toEqual([])
    expect(found(published().closed('sub').quiet())).toEqual([])
    expect(found(published().wait(20).closed('sub').quiet())).toEqual(['delivered'])
  })
  test('a shared group gets it by any member, and finds when none has got it', () => {
    const group = (): HistoryBuilder =>
      pair(1, '$share/g/a')
        .connect('other')
        .subscribed('other', '$share/g/a', 1)
        .publish('pub', 'm')
        .acknowledged('pub', 'm')
    expect(found(group().received('other', 'm').quiet())).toEqual([])
    expect(found(group().quiet())).toEqual(['delivered'])
  })
})

describe('duplicates', () => {
  test('QoS 2 twice is found, a repeated packet identifier that is not released is not', () => {
    const once = (): HistoryBuilder => pair().publish('pub', 'm', qos2).received('sub', 'm', qos2)
    expect(found(once().received('sub', 'm', { qos: 2, dup: true, again: true }).quiet())).toEqual([])
    expect(found(once().received('sub', 'm', qos2).quiet())).toEqual(['duplicates'])
    const later = once().closed('sub').connect('sub', { present: true })
    expect(found(later.received('sub', 'm', { qos: 2, dup: true }).quiet())).toEqual(['duplicates'])
  })
  test('QoS 0 twice is found', () => {
    const history = pair().publish('pub', 'm', { qos: 0 })
    expect(found(history.received('sub', 'm', { qos: 0 }).received('sub', 'm', { qos: 0 }).quiet())).toEqual([
      'duplicates',
    ])
  })
  test('QoS 1 may come again with DUP on another connection, or if it was sent again', () => {
    const once = (): HistoryBuilder => pair().publish('pub', 'm').received('sub', 'm')
    const later = (): HistoryBuilder => once().closed('sub').connect('sub', { present: true })
    expect(found(later().received('sub', 'm', { dup: true }).quiet())).toEqual([])
    expect(found(later().received('sub', 'm').quiet())).toEqual(['duplicates'])
    expect(found(once().received('sub', 'm', { dup: true }).quiet())).toEqual(['duplicates'])
    expect(found(once().publish('pub', 'm', { dup: true }).received('sub', 'm').quiet())).toEqual([])
  })
  test('of two connections that are open together the copy with DUP may be seen first', () => {
    const history = pair().publish('pub', 'm').connect('sub', { present: true })
    history.received('sub', 'm', { dup: true }).back('sub', 1).received('sub', 'm')
    expect(found(history.closed('sub').quiet())).toEqual([])
  })
  test('two members of a group that get one message of QoS 2 are found', () => {
    const history = pair(2, '$share/g/a').connect('other').subscribed('other', '$share/g/a').publish('pub', 'm', qos2)
    expect(found(history.received('sub', 'm', qos2).received('other', 'm', qos2).quiet())).toEqual(['duplicates'])
  })
})

describe('ordered', () => {
  const two = (): HistoryBuilder => pair().publish('pub', 'one').publish('pub', 'two')
  test('a later message before an earlier one is found, with any QoS', () => {
    expect(found(two().received('sub', 'two').received('sub', 'one').quiet())).toEqual(['ordered'])
    const zero = pair().publish('pub', 'one', { qos: 0 }).publish('pub', 'two', { qos: 0 })
    expect(found(zero.received('sub', 'two', { qos: 0 }).received('sub', 'one', { qos: 0 }).quiet())).toEqual([
      'ordered',
    ])
  })
  test('repetitions after a new connection may follow', () => {
    const history = two().received('sub', 'one').received('sub', 'two').closed('sub').connect('sub', { present: true })
    expect(found(history.received('sub', 'one', { dup: true }).received('sub', 'two', { dup: true }).quiet())).toEqual(
      [],
    )
  })
  test('what was sent again with QoS 2 may come late to a session that ends with its connection', () => {
    const late = (persistent: boolean): HistoryBuilder =>
      new HistoryBuilder()
        .connect('sub', { persistent })
        .subscribed('sub', '#')
        .connect('pub')
        .publish('pub', 'one', qos2)
        .publish('pub', 'one', { ...qos2, dup: true })
        .publish('pub', 'two', qos2)
        .received('sub', 'two', qos2)
        .received('sub', 'one', qos2)
    expect(found(late(false).quiet())).toEqual([])
    expect(found(late(true).quiet())).toEqual(['ordered'])
  })
  test('what was sent again counts from its repetition for a session that subscribed in between', () => {
    const between = (subscribed: boolean): HistoryBuilder => {
      const history = new HistoryBuilder().connect('sub').connect('pub')
      if (subscribed) history.subscribed('sub', '#')
      history.publish('pub', 'one').publish('pub', 'two').received('sub', 'two')
      return history.publish('pub', 'one', { dup: true }).subscribed('sub', '#').received('sub', 'one')
    }
    expect(found(between(false).quiet())).toEqual([])
    expect(found(between(true).quiet())).toEqual(['ordered'])
  })
  test('other topics, QoS and publishers have their own order', () => {
    const history = pair().publish('pub', 'one').publish('pub', 'two', { topic: 'b' }).publish('pub', 'three', qos2)
    history.received('sub', 'three', qos2).received('sub', 'two', { topic: 'b' })
    expect(found(history.received('sub', 'one').quiet())).toEqual([])
  })
})

describe('origin', () => {
  test('finds what nobody has published, or not to this topic, or with a lower QoS', () => {
    expect(found(pair().received('sub', 'm').quiet())).toEqual(['origin'])
    expect(found(pair().publish('pub', 'm').received('sub', 'm', { topic: 'b' }).quiet())).toEqual(['origin'])
    expect(found(pair().publish('pub', 'm').received('sub', 'm', qos2).quiet())).toEqual(['origin'])
  })
  test('finds what no subscription asks for', () => {
    expect(found(pair(1, 'b').publish('pub', 'm').received('sub', 'm').quiet())).toEqual(['origin'])
  })
})

describe('wills', () => {
  const will = { message: 'w', topic: 'will/w', qos: 1 } as const
  const watched = (): HistoryBuilder =>
    new HistoryBuilder().connect('watcher').subscribed('watcher', 'will/#').wait(60).connect('dying', { will })
  const got = { topic: 'will/w' } as const
  test('after a crash: none is found missing, one is fine', () => {
    expect(found(watched().closed('dying', false).quiet())).toEqual(['wills'])
    expect(found(watched().closed('dying', false).received('watcher', 'w', got).quiet())).toEqual([])
  })
  test('after a killed broker likewise', () => {
    const killed = watched().add({ kind: 'fault', fault: 'killed', target: 'broker-0' }).closed('dying')
    expect(found(killed.quiet())).toEqual(['wills'])
  })
  test('after DISCONNECT one is found', () => {
    const history = watched().disconnecting('dying').closed('dying')
    expect(found(history.quiet())).toEqual([])
    expect(found(watched().disconnecting('dying').closed('dying').received('watcher', 'w', got).quiet())).toEqual([
      'wills',
    ])
  })
  test('after DISCONNECT to a broker that was struck one may come', () => {
    const history = watched().disconnecting('dying').add({ kind: 'fault', fault: 'kill', target: 'broker-0' })
    expect(found(history.closed('dying').received('watcher', 'w', got).quiet())).toEqual([])
  })
  test('a second one 30 s later may come only in a directory, if a fault kept the broker from confirming the first', () => {
    const twice = (history: HistoryBuilder, seconds: number): HistoryBuilder =>
      history.closed('dying').received('watcher', 'w', got).wait(seconds).received('watcher', 'w', got)
    const struck = (store: StoreName = 'lmdb'): HistoryBuilder =>
      watched().add({ kind: 'begun', store }).add({ kind: 'fault', fault: 'killed', target: 'broker-1' })
    expect(found(twice(struck('redis'), 30).quiet())).toEqual(['duplicates'])
    expect(found(twice(struck(), 30).quiet())).toEqual([])
    expect(found(twice(struck(), 30).received('watcher', 'w', got).quiet())).toEqual(['duplicates'])
    expect(found(twice(struck(), 20).quiet())).toEqual(['duplicates'])
    expect(found(twice(watched(), 30).quiet())).toEqual(['duplicates'])
    // The watcher hears late of the first one, which has DUP since it was offered before.
    const late = struck()
      .closed('dying')
      .wait(31)
      .received('watcher', 'w', { ...got, dup: true })
    expect(found(late.wait(1).received('watcher', 'w', got).quiet())).toEqual([])
    // Both waited until the watcher came back.
    const away = (seconds: number): HistoryBuilder => struck().closed('watcher').closed('dying').wait(seconds)
    const back = (history: HistoryBuilder): HistoryBuilder =>
      history.connect('watcher', { present: true }).received('watcher', 'w', got).received('watcher', 'w', got)
    expect(found(back(away(30)).quiet())).toEqual([])
    expect(found(back(away(10)).quiet())).toEqual(['duplicates'])
  })
  test('two are found', () => {
    const history = watched().closed('dying', false).received('watcher', 'w', got).received('watcher', 'w', got)
    expect(found(history.quiet())).toEqual(['duplicates'])
  })
})

describe('retained', () => {
  const holds = (history: HistoryBuilder, message?: string): HistoryBuilder =>
    history.quiet().add({ kind: 'retained', messages: message === undefined ? [] : [{ topic: 'a', message }] })
  const write = (): HistoryBuilder =>
    new HistoryBuilder().connect('one').connect('two').publish('one', 'first', { retain: true })
  const later = (): HistoryBuilder => write().acknowledged('one', 'first').publish('two', 'second', { retain: true })
  test('the last acknowledged write is there; an older one, none and another topic are found', () => {
    expect(found(holds(later().acknowledged('two', 'second'), 'second'))).toEqual([])
    expect(found(holds(later().acknowledged('two', 'second'), 'first'))).toEqual(['retained'])
    expect(found(holds(later().acknowledged('two', 'second')))).toEqual(['retained'])
    expect(
      found(new HistoryBuilder().quiet().add({ kind: 'retained', messages: [{ topic: 'a', message: 'x' }] })),
    ).toEqual(['retained'])
  })
  test('a write without an answer may have taken effect or not', () => {
    expect(found(holds(later(), 'first'))).toEqual([])
    expect(found(holds(later(), 'second'))).toEqual([])
    expect(found(holds(later()))).toEqual(['retained'])
  })
  test('of writes on their way together each may be the last', () => {
    const together = (): HistoryBuilder =>
      write().publish('two', 'second', { retain: true }).acknowledged('one', 'first').acknowledged('two', 'second')
    expect(found(holds(together(), 'first'))).toEqual([])
    expect(found(holds(together(), 'second'))).toEqual([])
  })
  test('an empty message removes it', () => {
    const removed = (): HistoryBuilder =>
      write()
        .acknowledged('one', 'first')
        .publish('two', 'gone', { retain: true, empty: true })
        .acknowledged('two', 'gone')
    expect(found(holds(removed()))).toEqual([])
    expect(found(holds(removed(), 'first'))).toEqual(['retained'])
  })
})

describe('owner', () => {
  const both = (): HistoryBuilder => pair().connect('sub', { present: true }).publish('pub', 'm')
  test('a connection that still gets messages long after another was accepted is found', () => {
    expect(found(both().back('sub', 1).received('sub', 'm').closed('sub').quiet())).toEqual([])
    expect(found(both().wait(13).back('sub', 1).received('sub', 'm').closed('sub').quiet())).toEqual(['owner'])
  })
  test('two that are open at the end are found', () => {
    expect(found(both().quiet())).toEqual(['owner'])
  })
})

describe('upkeep', () => {
  test('a session that is gone is found, one that was ended is not', () => {
    expect(found(pair().closed('sub').connect('sub').quiet())).toEqual(['kept'])
    expect(found(pair().disconnecting('sub', true).closed('sub').connect('sub').quiet())).toEqual([])
    expect(found(pair().closed('sub').connect('sub', { cleanStart: true }).quiet())).toEqual([])
  })
  test('keys that are left in the store are found', () => {
    const left = (...keys: string[]): string[] => found(new HistoryBuilder().quiet().add({ kind: 'keys', keys }))
    expect(left()).toEqual([])
    expect(left('{x1.p0}:s:sub')).toEqual(['keys'])
  })
  test('a broker that has ended by itself is found', () => {
    expect(found(new HistoryBuilder().add({ kind: 'died', broker: 'broker-0', reason: '1' }).quiet())).toEqual([
      'alive',
    ])
  })
  test('clients that do not come to rest are found', () => {
    expect(found(new HistoryBuilder().add({ kind: 'quiet', settled: false, detail: 'p0' }))).toEqual(['settled'])
  })
  test('memory that is too much or grows is found', () => {
    const sampled = (bytes: (index: number) => number): string[] => {
      const history = new HistoryBuilder()
      for (let index = 0; index < 90; index += 1) {
        history.add({ kind: 'memory', process: 'broker-0', bytes: bytes(index) * 1_048_576 })
      }
      return found(history.quiet())
    }
    expect(sampled(() => 100)).toEqual([])
    expect(sampled(() => 400)).toEqual(['memory'])
    expect(sampled(index => 100 + 2.5 * index)).toEqual(['memory'])
  })
})

test('filters match topics as MQTT 5.0 §4.7 says', () => {
  for (const [filter, topic] of [
    ['a/+/c', 'a/b/c'],
    ['a/#', 'a'],
    ['#', 'a/b'],
    ['+/b', '/b'],
    ['a', 'a'],
  ] as const) {
    expect(matches(filter, topic), `${filter} ${topic}`).toBe(true)
  }
  for (const [filter, topic] of [
    ['a/+', 'a'],
    ['a/+', 'a/b/c'],
    ['#', '$SYS/a'],
    ['a', 'b'],
    ['a/b', 'a'],
  ] as const) {
    expect(matches(filter, topic), `${filter} ${topic}`).toBe(false)
  }
})

describe('what Redis has lost', () => {
  /** Acknowledged after the snapshot that Redis goes back to. */
  function lost(): HistoryBuilder {
    const history = pair().wait(100)
    const since = history.events.length
    return history.publish('pub', 'm').acknowledged('pub', 'm').add({ kind: 'loss', since, everything: false })
  }

  test('a message that was acknowledged since need not come, and one that came may come again', () => {
    expect(found(lost().quiet())).toEqual([])
    const twice = pair().publish('pub', 'm', qos2).acknowledged('pub', 'm', 'pubrec').received('sub', 'm', qos2)
    const again = twice
      .add({ kind: 'loss', since: twice.events.length - 1, everything: false })
      .received('sub', 'm', qos2)
    expect(found(again.quiet())).toEqual([])
  })
  test('what was acknowledged before has to come, and what is afterwards', () => {
    const before = pair().publish('pub', 'm').acknowledged('pub', 'm').wait(100)
    const since = before.events.length
    expect(found(before.add({ kind: 'loss', since, everything: false }).wait(100).quiet())).toEqual(['delivered'])
    expect(found(lost().wait(100).publish('pub', 'n').acknowledged('pub', 'n').quiet())).toEqual(['delivered'])
  })
  test('what has come before may come again if its client had not released it by then', () => {
    const history = pair().publish('pub', 'm', qos2).received('sub', 'm', qos2).wait(100)
    const since = history.events.length
    history.received('sub', 'm', { qos: 2, dup: true, again: true }).add({ kind: 'loss', since, everything: false })
    history.wait(10).closed('sub').connect('sub', { present: true })
    expect(found(history.received('sub', 'm', { qos: 2, dup: true }).quiet())).toEqual([])
  })
  test('what has come long before must not come again', () => {
    const first = pair()
      .publish('pub', 'm', qos2)
      .acknowledged('pub', 'm', 'pubrec')
      .received('sub', 'm', qos2)
      .wait(100)
    const since = first.events.length
    const again = first.add({ kind: 'loss', since, everything: false }).received('sub', 'm', qos2)
    expect(found(again.quiet())).toEqual(['duplicates'])
  })
  test('a client that was not told of its new session is told that the old one is there, and misses what it is subscribed to', () => {
    const wiped = (answered: boolean): HistoryBuilder => {
      const history = pair().wait(100)
      history.add({ kind: 'loss', since: history.events.length, everything: true }).closed('sub')
      const attempt = { client: 'sub', connection: 77 }
      history.add({ kind: 'connect', ...attempt, broker: 'broker-0', cleanStart: false, persistent: true })
      if (answered) history.add({ kind: 'refused', ...attempt, reasonCode: 0x88 })
      history
        .add({ kind: 'closed', ...attempt, byPeer: true })
        .connect('sub', { present: true })
        .wait(100)
      return history.publish('pub', 'm').acknowledged('pub', 'm')
    }
    expect(found(wiped(false).quiet())).toEqual([])
    expect(found(wiped(true).quiet())).toEqual(['delivered'])
    expect(found(wiped(false).subscribed('sub', '#').publish('pub', 'n').acknowledged('pub', 'n').quiet())).toEqual([
      'delivered',
    ])
  })
  test('an empty Redis has no session and no retained message any more; one that goes back has those of before', () => {
    for (const everything of [true, false]) {
      const history = pair().wait(100)
      history.add({ kind: 'loss', since: history.events.length, everything })
      history.closed('sub').connect('sub', { present: false })
      expect(found(history.quiet())).toEqual(everything ? [] : ['kept'])
    }
    const retained = pair()
      .publish('pub', 'm', { retain: true })
      .acknowledged('pub', 'm')
      .received('sub', 'm')
      .wait(100)
    retained.add({ kind: 'loss', since: 0, everything: true }).wait(100).quiet()
    expect(found(retained.add({ kind: 'retained', messages: [] }))).toEqual([])
  })
})
