import { expect, test } from 'vitest'
import { createCounters } from '../src/emitter-counters.ts'
import { EmitterError } from '../src/emitter-error.ts'
import { OutgoingLink } from '../src/outgoing-link.ts'

const noRoom = new Error("OOM command not allowed when used memory > 'maxmemory'.")
const notItsTurn = -2

interface Sent {
  readonly number: number
  readonly lowest: number
  answered(place: number): void
  refused(error: Error): void
}

/** A link whose answers of Redis the test gives. */
function linkOf(): { readonly link: OutgoingLink; readonly sent: readonly Sent[] } {
  const sent: Sent[] = []
  const link = new OutgoingLink({
    instance: 'one~1',
    counters: createCounters(),
    maximumOutgoingBytes: 1000,
    sendTimeout: 1000,
    send: async (number, lowest) =>
      new Promise((answered, refused) => void sent.push({ number, lowest, answered, refused })),
    say: async () => undefined,
    turnHasMessages: () => undefined,
    full: () => new EmitterError('QUOTA_EXCEEDED', { message: 'full' }),
  })
  return { link, sent }
}

test('what is behind a message that Redis has no memory for is refused too, so that its publisher sends all of them again in their order', async () => {
  const { link, sent } = linkOf()
  const first = link.addNumbered(Buffer.from('first'), 1)
  link.flush()
  const second = link.addNumbered(Buffer.from('second'), 1)
  link.flush()
  const third = link.addNumbered(Buffer.from('third'), 1)
  sent[0]?.refused(noRoom)
  const outcomes = await Promise.allSettled([first, second, third])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  sent[1]?.answered(notItsTurn)
  link.flush()
  const fourth = link.addNumbered(Buffer.from('fourth'), 1)
  link.flush()
  await expect.poll(() => sent.length).toBe(3)
  expect(sent[2]).toMatchObject({ number: 3, lowest: 3 })
  sent[2]?.answered(1)
  await fourth
})

test('a QoS 2 message behind it goes on: stored sessions have it, and its publisher would send it to them again', async () => {
  const { link, sent } = linkOf()
  const first = link.addNumbered(Buffer.from('first'), 1)
  link.flush()
  const second = link.addNumbered(Buffer.from('second'), 2)
  link.flush()
  sent[0]?.refused(noRoom)
  await expect(first).rejects.toMatchObject({ name: 'EmitterError' })
  sent[1]?.answered(notItsTurn)
  await expect.poll(() => sent.length).toBe(3)
  expect(sent[2]).toMatchObject({ number: 2, lowest: 2 })
  sent[2]?.answered(1)
  await second
})
