import { expect, test } from 'vitest'
import { Identity } from '../src/identity.ts'

/** An identity whose rules note what they are asked. */
function noted(): { identity: Identity; asked: string[] } {
  const asked: string[] = []
  const may = (access: string, topic: string): boolean => {
    asked.push(`${access} ${topic.length}`)
    return true
  }
  return { identity: new Identity({ username: 'u', clientId: 'c' }, [{ rightsOf: () => ({ may }) }]), asked }
}

test('a decision is made once for each topic and access', () => {
  const { identity, asked } = noted()
  for (let time = 0; time < 3; time += 1) {
    for (const topic of ['a', 'bb'])
      expect([identity.mayPublish(topic), identity.mayReceive(topic)]).toEqual([true, true])
  }
  expect(asked).toEqual(['publish 1', 'receive 1', 'publish 2', 'receive 2'])
})

test('decisions on topics of many kilobytes are not kept: their client would have the broker hold megabytes', () => {
  const { identity, asked } = noted()
  const topics = ['x'.repeat(60_000), 'y'.repeat(60_000)]
  for (let time = 0; time < 2; time += 1) for (const topic of topics) expect(identity.mayPublish(topic)).toBe(true)
  expect(asked).toEqual(Array(4).fill('publish 60000'))
})
