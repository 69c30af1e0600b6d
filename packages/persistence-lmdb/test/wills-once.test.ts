import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@x/contract/testing'
import type { Due, Will } from '@x/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wills-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

for (const fields of [{}, { retain: true }, { retain: true, qos: 0 as const }])
  test(`a will whose broker is killed after it was stored comes back, and is not stored again (${JSON.stringify(fields)})`, async () => {
    const clock = new ManualClock()
    const host = { ...hostOf(), clock }
    const [living, dying] = [new LmdbPersistence({ directory }), new RemotePersistence(directory)]
    await living.open(host)
    await dying.open(host)
    const { handle } = await living.openSession(lampSession)
    await living.subscribe(handle, [subscriptionTo('light/+')])
    const message = messageOf('gone', fields)
    const will: Will = { clientId: 'ended', message, messageExpiryInterval: undefined, delayInterval: 0 }
    const ended = await dying.openSession({ ...lampSession, clientId: 'ended', will })
    const due = await dying.closeSession(ended.handle, { ...leaving, will: 'publish' })
    if (due === undefined) throw new Error('no will is due')
    const reached = await dying.publishWill(due, message)
    await dying.kill()

    clock.advance(30_000)
    const again: Due[] = []
    await expect
      .poll(async () => {
        again.push(...(await living.claimDue(10)))
        return again.length
      })
      .toBe(1)
    const [one] = again
    if (one?.kind !== 'will') throw new Error('no will has come back')
    expect(await living.publishWill(one.will, message)).toBe(0)
    await living.confirmWill(one.will)
    expect(await living.publishWill(one.will, message)).toBe(0)
    expect(await living.read(handle, 0, 10)).toHaveLength(reached)
    await living.close()
  })
