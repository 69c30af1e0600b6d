import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Random } from '@x/chaos/random'
import type { BrokerCounts, Counters } from '@x/contract'
import { scrapedFrom } from './scrape.ts'
import type { Scraped } from './scrape.ts'
import { statisticsOf } from './statistics.ts'
import type { Tally } from './tally.ts'
import type { Ways } from './transport.ts'
import { Workload } from './workload.ts'

const soakMain = fileURLToPath(new URL('./soak-main.js', import.meta.url))
/** ms between two looks at the broker's process. */
const lookInterval = 2000
/** ms after which the statistics have been published again. */
const quiet = 1500

/** What the broker's process is like at one moment, after a garbage collection. Bytes. */
export interface Look {
  readonly heapUsed: number
  readonly rss: number
  readonly handles: number
  readonly counters: Counters
  readonly counts: BrokerCounts
  readonly failures: readonly string[]
  /** Identifiers of the connections that a DISCONNECT was sent to since their client had another one. */
  readonly toldOfTakeOver: readonly string[]
}

export interface SoakResult {
  readonly lives: number
  readonly tally: Tally
  /** Before anyone came, while they come and go, and when all have left. */
  readonly first: Look
  readonly between: readonly Look[]
  readonly last: Look
  /** `$SYS` topics without the prefix `$SYS/broker/`, as they stood when all had left. */
  readonly statistics: ReadonlyMap<string, string>
  /** `/metrics` at the same time, before the client that has read the statistics. */
  readonly scraped: Scraped
}

/** Clients come and go for so long; then everyone leaves. */
export async function soak(milliseconds: number, seed: number): Promise<SoakResult> {
  const child = fork(soakMain, [], { execArgv: ['--expose-gc'] })
  try {
    const { ways, metricsUrl } = await heard<{ ways: Ways; metricsUrl: string }>(child, 'listening')
    const first = await look(child)
    const workload = new Workload(ways, new Random(seed))
    const between: Look[] = []
    const looking = setInterval(() => void look(child).then(seen => between.push(seen)), lookInterval)
    const running = workload.run()
    const ending = setTimeout(() => workload.end(), milliseconds)
    await running.finally(() => {
      clearInterval(looking)
      clearTimeout(ending)
    })
    await pause(quiet)
    const last = await lookWhenGone(child, first)
    const scraped = await scrapedFrom(metricsUrl)
    const statistics = await statisticsOf(ways)
    child.send('close')
    await once(child, 'exit')
    return { lives: workload.lives, tally: workload.tally, first, between, last, statistics, scraped }
  } finally {
    child.kill('SIGKILL')
  }
}

/** A machine that is busy takes its time to close the last sockets. */
async function lookWhenGone(child: ChildProcess, first: Look): Promise<Look> {
  let last = await look(child)
  for (let count = 0; last.handles > first.handles && count < 20; count += 1) {
    await pause(quiet)
    last = await look(child)
  }
  return last
}

async function look(child: ChildProcess): Promise<Look> {
  const seen = heard<Look>(child, 'look')
  child.send('look')
  return seen
}

function heard<Message>(child: ChildProcess, kind: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const hear = (message: { kind: string }): void => {
      if (message.kind !== kind) return
      child.off('message', hear)
      child.off('exit', fail)
      resolve(message as Message)
    }
    const fail = (code: number | null): void => reject(new Error(`the broker has ended with ${code}`))
    child.on('message', hear)
    child.once('exit', fail)
  })
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, milliseconds))
}
