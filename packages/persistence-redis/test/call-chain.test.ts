import { expect, test } from 'vitest'
import { CallChain } from '../src/calls/call-chain.ts'

const publishers = (...epochs: string[]): ReadonlySet<string> => new Set(epochs)

test('a call names the one before it only while that has no answer', () => {
  const chain = new CallChain()
  const [first, second] = [chain.begin(publishers()), chain.begin(publishers())]
  expect([first.behind, second.behind]).toEqual([0, first.number])
  chain.succeeded(first)
  chain.succeeded(second)
  expect(chain.begin(publishers()).behind).toBe(0)
})

test('all calls behind one that was refused fail with its error, and a new chain begins behind them', () => {
  const chain = new CallChain()
  const calls = [chain.begin(publishers('a')), chain.begin(publishers('b')), chain.begin(publishers('c'))] as const
  const full = new Error('full')
  expect(chain.failed(calls[0], full)).toBe(full)
  const next = chain.begin(publishers('d'))
  expect(next.behind).toBe(0)
  expect(chain.begin(publishers('d')).behind).toBe(next.number)
  expect(chain.failed(calls[1], new Error('behind'))).toBe(full)
  expect(chain.failed(calls[2], new Error('behind'))).toBe(full)
})

test('a publisher whose message will be refused sends none behind it, until it knows; others do', () => {
  const chain = new CallChain()
  const calls = [chain.begin(publishers('a')), chain.begin(publishers('b'))] as const
  const full = new Error('full')
  expect(chain.refusalOf('b')).toBe(undefined)
  chain.failed(calls[0], full)
  chain.begin(publishers('c'))
  expect([chain.refusalOf('a'), chain.refusalOf('b'), chain.refusalOf('c')]).toEqual([undefined, full, undefined])
  chain.failed(calls[1], new Error('behind'))
  expect(chain.refusalOf('b')).toBe(undefined)
})

test('messages that wait while a call before theirs fails are behind it, and those after them are not', () => {
  const chain = new CallChain()
  const first = chain.begin(publishers('a'))
  const waiting = chain.wait()
  const full = new Error('full')
  chain.failed(first, full)
  const second = chain.begin(publishers('a'), waiting)
  expect(second.behind).toBe(first.number)
  expect(chain.refusalOf('a')).toBe(full)
  expect(chain.begin(publishers('b'), chain.wait()).behind).toBe(0)
  expect(chain.failed(second, new Error('behind'))).toBe(full)
})

test('messages that wait are behind the last of the calls that fail with the first', () => {
  const chain = new CallChain()
  const [first, second] = [chain.begin(publishers('a')), chain.begin(publishers('b'))]
  const waiting = chain.wait()
  chain.failed(first, new Error('full'))
  expect(chain.begin(publishers('a'), waiting).behind).toBe(second.number)
})
