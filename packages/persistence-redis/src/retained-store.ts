import type { Message, RetainedPage } from '@x/contract'
import { decodeMessage } from './records/message-record.ts'
import type { StoreCalls } from './calls/store-calls.ts'

/** Pages without a message after which the look-up rests before each further one, and for how many milliseconds: one client looks up one
 * filter at a time, and so may not keep Redis busy with what finds nothing. */
const [emptyPages, rest] = [8, 2]

/** The retained messages whose topics match, in pages of a few hundred topics or kilobytes. */
export async function findRetained(calls: StoreCalls, filter: string): Promise<RetainedPage> {
  const range = rangeOf(filter)
  const through = range?.through ?? ''
  return pageFrom(range?.from ?? '', 0)

  async function pageFrom(from: string, empty: number): Promise<RetainedPage> {
    if (empty >= emptyPages) await new Promise<void>(resolve => void setTimeout(resolve, rest))
    const answer = await calls.call('retained', filter, from, through)
    const [values, next] = answer as [Buffer[], Buffer]
    // Behind its expiry, which Redis has looked at.
    const messages: Message[] = values.map(value => decodeMessage(value.subarray(8), calls.time))
    const following = next.toString()
    return following === ''
      ? messages
      : Object.assign(messages, { more: async () => pageFrom(following, messages.length > 0 ? 0 : empty + 1) })
  }
}

/** The part of the lexical index of topics in which all matches of a filter lie: bounds of ZRANGEBYLEX; undefined for a filter
 * without wildcards. */
function rangeOf(filter: string): { readonly from: string; readonly through: string } | undefined {
  const levels = filter.split('/')
  const wildcard = levels.findIndex(level => level === '+' || level === '#')
  if (wildcard === -1) return undefined
  if (wildcard === 0) return { from: '-', through: '+' }
  const prefix = levels.slice(0, wildcard).join('/')
  // `0` follows `/`. With `#` the topic without that level matches too.
  return { from: levels[wildcard] === '#' ? `[${prefix}` : `[${prefix}/`, through: `(${prefix}0` }
}
