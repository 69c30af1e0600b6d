import { expect, test } from 'vitest'
import { routeName, RouteTable } from '../src/index.ts'

interface Link {
  readonly to: string
  close(): void
  abandon(): void
}

function table(): RouteTable<Link> {
  return new RouteTable<Link>({
    instance: 'own~1',
    link: to => ({ to, close: () => undefined, abandon: () => undefined }),
    presence: () => undefined,
    left: () => undefined,
  })
}

const group = '$share/g/a/+'

test('a plan names each broker once, and apart those that get QoS 1 and 2', () => {
  const routes = table()
  routes.join('one~1', 'one', [routeName('a/+', 0), routeName('a/b', 0)])
  routes.join('two~1', 'two', [routeName('#', 2)])
  const { all, atLeastOnce } = routes.plan('a/b')
  expect(all.map(({ brokerId }) => brokerId).sort()).toEqual(['one', 'two'])
  expect(atLeastOnce.map(({ brokerId }) => brokerId)).toEqual(['two'])
})

test('a group is served by its brokers in turn, and those with routes of their own get the message anyway', () => {
  const routes = table()
  routes.join('one~1', 'one', [routeName(group, 0)])
  routes.join('two~1', 'two', [routeName(group, 0)])
  routes.join('three~1', 'three', [routeName('a/b', 0)])
  const served = Array.from({ length: 4 }, () =>
    [...routes.receivers(routes.plan('a/b'))].map(([{ brokerId }, groups]) => [brokerId, groups]),
  )
  expect(served.every(([third]) => third?.[0] === 'three' && third[1]?.length === 0)).toBe(true)
  expect(served.map(([, chosen]) => chosen?.[0])).toEqual(['two', 'one', 'two', 'one'])
  expect(served.every(([, chosen]) => chosen?.[1]?.[0] === group)).toBe(true)
})

test('a broker that has left has no routes and no turns', () => {
  const routes = table()
  routes.join('one~1', 'one', [routeName(group, 0), routeName('a/b', 2)])
  routes.leave('one~1')
  expect(routes.plan('a/b')).toEqual({ all: [], atLeastOnce: [], turns: [] })
  expect(routes.turn(group)).toBeUndefined()
})
