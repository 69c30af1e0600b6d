import { expect, test } from 'vitest'
import { StartedAdmin } from './started-admin.ts'

const sessions = 100_000

type Page = { readonly items: readonly { readonly clientId: string }[]; readonly cursor: string | null }

/** Sessions that wait, put straight into the store. */
async function leaveSessions({ broker }: StartedAdmin): Promise<void> {
  for (let count = 0; count < sessions; count += 1) {
    const { handle } = await broker.persistence.openSession({
      clientId: `client ${count}`,
      cleanStart: true,
      sessionExpiryInterval: 10_000,
      will: undefined,
      owner: { deliver: () => false, fenced: () => undefined },
    })
    await broker.persistence.closeSession(handle, { sessionExpiryInterval: 10_000, will: 'discard', sentThrough: 0 })
  }
}

test('lists 100 000 sessions, each once, while the broker goes on serving', async () => {
  const admin = await StartedAdmin.start({ maximumRequestRate: 100_000 })
  await leaveSessions(admin)
  const probe = await admin.connect({ clientId: 'probe' })
  let probes = 0
  const state = { isListing: true }
  const probing = (async () => {
    while (state.isListing) {
      await probe.publishAsync('probe', 'x', { qos: 1 })
      probes += 1
    }
  })()
  const found = new Set<string>()
  let cursor: string | null = ''
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await admin.ask('GET', `/api/v1/sessions?limit=1000${query}`)
    const page = body as unknown as Page
    for (const { clientId } of page.items) found.add(clientId)
    cursor = page.cursor
  }
  // A search that finds one has to look at all of them.
  const { body } = await admin.ask('GET', '/api/v1/sessions?search=client%2099999')
  expect((body as unknown as Page).items).toHaveLength(1)
  state.isListing = false
  await probing
  expect(found.size).toBe(sessions)
  expect(probes).toBeGreaterThan(0)
})
