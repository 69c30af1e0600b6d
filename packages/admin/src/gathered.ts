import type { Peers } from '@x/contract'
import type { ListPage } from './cursors.ts'
import { openBroker } from './host.ts'
import type { AdminHost } from './host.ts'
import { Problem } from './problem.ts'
import type { ProblemCode } from './problem.ts'

/** A page of a list of which each process of the broker has a part. */
export interface GatheredPage extends ListPage<object> {
  /** Workers whose part is left out, since they did not answer. */
  readonly missing: readonly number[]
}

/** Which part of the list, and what of it. */
export interface PartRequest {
  readonly limit: number
  readonly cursor: string | undefined
}

/** A list of which each process has a part. */
export interface PartedList {
  readonly request: PartRequest
  /** The part of this process. */
  readonly own: (request: PartRequest) => Promise<ListPage<object>>
  /** What another process is asked for its part. */
  readonly question: (request: PartRequest) => object
}

/** A part, and where it goes on there. */
interface Place {
  /** Undefined: this process. */
  readonly worker: number | undefined
  readonly cursor: string | undefined
}

/** Items that another process sends at a time: more would take long to write and to read. */
const mostOfOthers = 250

/** A page of the list: first what this process has, then what each other one has. A page has items of one process alone, so it may be
 * shorter than was asked for; it is empty at the end alone. A process that does not answer in time is passed over, and named. */
export async function gather(host: AdminHost, list: PartedList): Promise<GatheredPage> {
  const { peers } = openBroker(host)
  const missing: number[] = []
  let place: Place | undefined = placeOf(list.request.cursor)
  let items: readonly object[] = []
  while (place !== undefined && items.length === 0) {
    const page: ListPage<object> | undefined = await partAt(list, place, peers)
    if (page === undefined && place.worker !== undefined) missing.push(place.worker)
    items = page?.items ?? []
    place = nextOf(place, page?.cursor ?? undefined, peers)
  }
  return { items, cursor: place === undefined ? null : shownPlace(place), missing }
}

async function partAt(
  { own, question, request }: PartedList,
  { worker, cursor }: Place,
  peers: Peers | undefined,
): Promise<ListPage<object> | undefined> {
  if (worker === undefined) {
    const { items, cursor: next } = await own({ limit: request.limit, cursor })
    return { items: peers === undefined ? items : items.map(item => withWorker(item, peers.own)), cursor: next }
  }
  if (peers?.others.includes(worker) !== true) return undefined
  const answer = await asked(peers, worker, question({ limit: Math.min(request.limit, mostOfOthers), cursor }))
  const page = answer as ListPage<object> | undefined
  return page && { items: page.items.map(item => withWorker(item, worker)), cursor: page.cursor }
}

function withWorker(item: object, worker: number): object {
  return Object.assign(item, { worker })
}

function nextOf({ worker }: Place, cursor: string | undefined, peers: Peers | undefined): Place | undefined {
  if (cursor !== undefined) return { worker, cursor }
  const next = peers?.others.find(other => worker === undefined || other > worker)
  return next === undefined ? undefined : { worker: next, cursor: undefined }
}

/** Cursors of this process have no `~`. */
function shownPlace({ worker, cursor = '' }: Place): string {
  return worker === undefined ? cursor : `${worker}~${cursor}`
}

function placeOf(cursor: string | undefined): Place {
  const [, worker, rest = ''] = /^(\d{1,4})~(.*)$/.exec(cursor ?? '') ?? []
  if (worker === undefined) return { worker: undefined, cursor }
  return { worker: Number(worker), cursor: rest === '' ? undefined : rest }
}

/** What all others say to a question, as far as they answer.
 * @returns also the numbers of those that do not */
export async function askOthers(
  host: AdminHost,
  question: object,
): Promise<{ readonly answers: readonly object[]; readonly missing: readonly number[] }> {
  const { peers } = openBroker(host)
  if (peers === undefined) return { answers: [], missing: [] }
  const { others } = peers
  const answers = await Promise.all(others.map(async worker => answerOf(peers, worker, question)))
  return {
    answers: answers.filter(answer => answer !== undefined),
    missing: others.filter((_worker, index) => answers[index] === undefined),
  }
}

async function answerOf(peers: Peers, worker: number, question: object): Promise<object | undefined> {
  const answer = await asked(peers, worker, question)
  return answer && withWorker(answer, worker)
}

async function asked(peers: Peers, worker: number, question: object): Promise<object | undefined> {
  const answer = await peers.ask(worker, question)
  if (answer === undefined || !('problem' in answer)) return answer
  const { code, detail } = answer.problem as { readonly code: ProblemCode; readonly detail: string }
  throw new Problem(code, `worker ${worker}: ${detail}`)
}

/** Does what another process has asked for. A `Problem` is returned to that process instead of thrown. */
export async function answerTo(answer: () => Promise<object> | object): Promise<object> {
  try {
    return await answer()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { problem: { code: error.code, detail: error.message } }
  }
}

/** For sentences: which workers did not answer. */
export function missingText(missing: readonly number[]): string {
  return missing.length === 0 ? '' : `; worker ${missing.join(', ')} did not answer`
}
