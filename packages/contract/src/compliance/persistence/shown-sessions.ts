import assert from 'node:assert/strict'
import type { LazyPage } from '../../lazy-page.ts'
import type { StoredSession, StoredSessions } from '../../stored-sessions.ts'
import { texts } from './bench.ts'
import type { Bench, DefineStoreTest } from './bench.ts'

function shownBy({ store }: Bench): StoredSessions {
  assert.ok(store.storedSessions !== undefined)
  return store.storedSessions
}

async function listed(bench: Bench): Promise<StoredSession[]> {
  const found: StoredSession[] = []
  let page: LazyPage<StoredSession> | undefined = await shownBy(bench).list()
  while (page !== undefined) {
    for (const session of page) if (session !== undefined) found.push(session)
    page = await page.more?.()
  }
  return found.sort((one, other) => (one.clientId < other.clientId ? -1 : 1))
}

/** Tests of `storedSessions`. */
export function shownSessionTests(define: DefineStoreTest): void {
  define('lists each session that outlives its connection once', async bench => {
    const ids = Array.from({ length: 150 }, (_, index) => `client ${String(index).padStart(3, '0')}`)
    for (const id of ids) await (await bench.connect(id)).close()
    await bench.connect('passing', { sessionExpiryInterval: 0 })
    assert.deepEqual(
      (await listed(bench)).map(({ clientId }) => clientId),
      ids,
    )
  })

  define('shows whether a session is open, when it expires, and what it has', async bench => {
    const away = await bench.connect('away')
    await away.subscribe({ filter: 'a' }, { filter: 'b' })
    await away.close({ sessionExpiryInterval: 60 })
    await bench.connect('here')
    await bench.publish('one')
    const common = { clientId: 'away', isOpen: false, sessionExpiryInterval: 60 }
    const expiresAt = bench.clock.now() + 60_000
    const expected = { ...common, expiresAt, subscriptions: 2, queuedMessages: 1 }
    await bench.soon(async () => assert.deepEqual(await shownBy(bench).find('away'), expected))
    const here = await shownBy(bench).find('here')
    assert.deepEqual([here?.isOpen, here?.expiresAt], [true, undefined])
    assert.equal(await shownBy(bench).find('nobody'), undefined)
    const filters = (await shownBy(bench).subscriptions('away')).map(({ filter }) => filter)
    assert.deepEqual(filters, ['a', 'b'])
    assert.deepEqual(await shownBy(bench).subscriptions('nobody'), [])
  })

  define('shows a queue page by page, and takes nothing by that', async bench => {
    const away = await bench.connect('away')
    await away.subscribe({ filter: 'a' })
    await away.close()
    await bench.publish('one', 'two', 'three')
    await bench.soon(async () => assert.equal((await shownBy(bench).queue('away', 0, 10)).length, 3))
    const first = await shownBy(bench).queue('away', 0, 2)
    assert.deepEqual(texts(first), ['one', 'two'])
    assert.deepEqual(texts(await shownBy(bench).queue('away', first.at(-1)?.sequence ?? 0, 2)), ['three'])
    assert.deepEqual(await shownBy(bench).queue('nobody', 0, 2), [])
    const again = await bench.connect('away')
    assert.equal(again.opened.sentThrough, 0)
    assert.deepEqual(texts(await again.read()), ['one', 'two', 'three'])
  })

  define('drops what waits in a queue, and leaves what may have been sent', async bench => {
    const away = await bench.connect('away', { room: 1 })
    await away.subscribe({ filter: 'a' })
    await bench.publish('sent', 'two', 'three')
    await away.close({ sentThrough: 1 })
    await bench.soon(async () => assert.equal((await shownBy(bench).queue('away', 0, 10)).length, 3))
    assert.equal(await shownBy(bench).clearQueue('away'), 2)
    assert.equal(await shownBy(bench).clearQueue('nobody'), 0)
    assert.deepEqual(texts(await shownBy(bench).queue('away', 0, 10)), ['sent'])
    assert.equal((await bench.store.counts()).queuedMessages, 1)
    await bench.publish('four')
    await bench.soon(async () => assert.equal((await shownBy(bench).queue('away', 0, 10)).length, 2))
    const again = await bench.connect('away')
    assert.deepEqual(texts(await again.read()), ['sent', 'four'])
  })
}
