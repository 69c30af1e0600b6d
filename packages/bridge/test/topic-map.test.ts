import { expect, test } from 'vitest'
import { TopicMap } from '../src/topic-map.ts'

test.each([
  ['short', 'a/b'],
  ['of many kilobytes', `a/${'x'.repeat(60_000)}`],
])('a topic that is %s has its name on the other side, each time it is asked for', (_what, topic) => {
  const map = new TopicMap([{ filter: 'a/#', direction: 'both', localPrefix: 'here/', remotePrefix: 'there/' }])
  for (let time = 0; time < 2; time += 1) {
    expect(map.toRemote(`here/${topic}`)).toBe(`there/${topic}`)
    expect(map.toLocal(`there/${topic}`)).toBe(`here/${topic}`)
    expect(map.toRemote(`elsewhere/${topic}`)).toBe(`elsewhere/${topic}`)
  }
})
