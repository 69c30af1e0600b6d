import type { Reception } from '../records/message-record.ts'
import { decodeDelivery } from '../records/message-record.ts'
import type { Fields } from '../owned-sessions.ts'

/** Instead of the number of receivers. */
const noFilter = 0xffff_ffff
const failed = 0xffff_fffe
const offerBytes = 16

/** What `F.publish` returns. `results` has for each message how many it was for and how many sessions of this broker are offered it,
 * then for each of them where its epoch and its delivery stand, and the sequence. `remarks`: number of a message, what kind, text. */
export type PublishResult = readonly [
  results: Buffer,
  epochs: readonly Buffer[],
  deliveries: readonly Buffer[],
  remarks: readonly (number | Buffer)[],
  drops: Fields,
  lastFilter: number,
]

/** A message that one session of this broker is offered. */
export interface Offer {
  readonly epoch: string
  readonly sequence: number
  readonly reception: Reception
}

/** The outcome for one message. */
export interface Outcome {
  /** How many sessions and groups it is stored for; undefined: no filter matches. */
  readonly reached: number | undefined
  readonly offers: readonly Offer[]
  /** Groups it waits in. */
  readonly groups: readonly string[]
  /** What Redis has refused it with. */
  readonly failure: string | undefined
  /** Number of the fan-out that brings it to those it is for; undefined: they have it. */
  readonly fanOut: number | undefined
}

const none: readonly never[] = []

/** The outcomes of the messages of a call, in their order. */
export function decodeOutcomes([results, epochNames, deliveries, remarks]: PublishResult): Outcome[] {
  const epochs = epochNames.map(String)
  const receptions = deliveries.map(decodeDelivery)
  const remarked = remarksOf(remarks)
  const outcomes: Outcome[] = []
  for (let offset = 0; offset + 8 <= results.length;) {
    const reached = results.readUInt32BE(offset)
    const end = offset + 8 + offerBytes * results.readUInt32BE(offset + 4)
    offset += 8
    const offers: Offer[] = offset === end ? (none as never[]) : []
    for (; offset < end; offset += offerBytes) {
      offers.push({
        epoch: epochs[results.readUInt32BE(offset)] as string,
        reception: receptions[results.readUInt32BE(offset + 4)] as Reception,
        sequence: results.readDoubleBE(offset + 8),
      })
    }
    const remark = remarked.get(outcomes.length)
    outcomes.push({
      reached: reached === noFilter ? undefined : reached,
      offers,
      groups: remark?.groups ?? none,
      failure: reached === failed ? remark?.failure : undefined,
      fanOut: remark?.fanOut,
    })
  }
  return outcomes
}

interface Remark {
  readonly groups: string[]
  failure: string
  fanOut: number | undefined
}

function remarksOf(remarks: readonly (number | Buffer)[]): Map<number, Remark> {
  const found = new Map<number, Remark>()
  for (let index = 0; index + 2 < remarks.length; index += 3) {
    const message = Number(remarks[index])
    const remark = found.get(message) ?? { groups: [], failure: '', fanOut: undefined }
    found.set(message, remark)
    const text = String(remarks[index + 2])
    const kind = String(remarks[index + 1])
    if (kind === 'g') remark.groups.push(text)
    else if (kind === 'f') remark.fanOut = Number(text)
    else remark.failure = text
  }
  return found
}
