import { readdirSync } from 'node:fs'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { directory, opened, otherProcess } from './meshes.ts'

test('one that is killed is gone at once on this machine, with its routes and its socket; nothing waits for it', async () => {
  const shared = directory()
  const one = await opened('one', { directory: shared })
  const dying = await otherProcess('dying', { directory: shared })
  await one.publish('x')
  expect([one.emitter.reaches('a'), one.emitter.reaches('b')]).toEqual([true, true])
  const exited = once(dying.child, 'exit')
  dying.signal('SIGKILL')
  const publishing = Array.from({ length: 20 }, (_, index) => one.publish(`${index}`, index % 2 === 0 ? 1 : 2))
  await exited
  await Promise.all(publishing)
  await expect
    .poll(() => one.presences)
    .toEqual([
      ['dying', true],
      ['dying', false],
    ])
  expect([one.emitter.reaches('a'), one.emitter.reaches('b')]).toEqual([false, false])
  expect(one.emitter.takesTurn('$share/g/b')).toBe(true)
  await expect.poll(() => readdirSync(shared).length).toBe(1)
  expect(one.codes).toEqual([])
})

test('one that was stopped knows what was subscribed to meanwhile before it acknowledges anything', async () => {
  const shared = directory()
  const one = await opened('one', { directory: shared })
  const stopped = await otherProcess('stopped', { directory: shared })
  stopped.signal('SIGSTOP')
  const answered = stopped.publish('after the stop')
  await one.emitter.addRoute('a')
  expect(one.emitter.counters.unconfirmedRoutes).toBe(1)
  await new Promise(resolve => void setTimeout(resolve, 500))
  stopped.signal('SIGCONT')
  await answered
  expect(one.texts).toEqual(['after the stop'])
  expect(one.presences).toEqual([['stopped', true]])
})

test('one that starts again at its address takes the place of what it was', async () => {
  const path = `unix:${directory()}/other.sock`
  const one = await opened('one', { listen: `unix:${directory()}/one.sock`, peers: path })
  for (let life = 0; life < 2; life += 1) {
    const other = await otherProcess('other', { listen: path })
    await expect.poll(() => one.emitter.reaches('a')).toBe(true)
    await one.publish('x')
    other.signal('SIGKILL')
    await expect.poll(() => one.emitter.reaches('a')).toBe(false)
  }
  expect(one.presences.map(([, present]) => present)).toEqual([true, false, true, false])
})

test('one that was stopped for longer than its lease says that it was taken for dead, and is there again with its routes', async () => {
  const shared = directory()
  // Longer than a machine that has other work is slow.
  const lease = 2000
  const one = await opened('one', { directory: shared, lease })
  const stopped = await otherProcess('stopped', { directory: shared, lease })
  stopped.signal('SIGSTOP')
  await expect.poll(() => one.presences.at(-1)).toEqual(['stopped', false])
  expect(one.codes).toHaveLength(1)
  stopped.signal('SIGCONT')
  await expect.poll(() => one.presences.at(-1)).toEqual(['stopped', true])
  await expect.poll(() => [one.emitter.reaches('a'), one.emitter.reaches('b')]).toEqual([true, true])
  await expect.poll(() => stopped.codes).toContain('LEASE_LOST')
})
