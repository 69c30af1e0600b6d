import cluster from 'node:cluster'
import type { LogMessage } from '@x/sys-topics'
import { placeVariable, isOrder } from './worker-messages.ts'
import type { CommonOrder, WorkerPlace, WorkerReport } from './worker-messages.ts'
import { WorkerPeers } from './worker-peers.ts'
import { WorkerStatistics } from './worker-statistics.ts'

/** What a worker does when it is told to. */
export interface WorkerDuties {
  /** Closes, and ends the process. */
  stop(): void
  /** Reads the configuration, and every file that it names, again. */
  reload(): void
  /** Does what one worker at a time does: connects the bridges, and serves the API. */
  bridge(): void
  logLevel(level: string): void
  /** Publishes a line that some process of the broker has logged. */
  logged(message: LogMessage): void
}

/** This process as one of several workers. */
export class OwnWorker {
  readonly place: WorkerPlace
  readonly statistics: WorkerStatistics
  readonly #peers: WorkerPeers

  constructor(place: WorkerPlace) {
    this.place = place
    this.#peers = new WorkerPeers({
      number: place.number,
      others: () => this.statistics.others,
      sendQuestion: (to, id, question) => this.#tell({ kind: 'question', to, id, question }),
      sendAnswer: (to, id, answer) => this.#tell({ kind: 'answer', to, id, answer }),
    })
    this.statistics = new WorkerStatistics({
      number: place.number,
      peers: this.#peers,
      report: numbers => this.#tell({ kind: 'numbers', numbers }),
    })
  }

  /** Undefined: this process was not forked as a worker. */
  static find(): OwnWorker | undefined {
    const place = process.env[placeVariable]
    return cluster.isWorker && place !== undefined ? new OwnWorker(JSON.parse(place) as WorkerPlace) : undefined
  }

  /** The primary passes signals on. A terminal, and systemd, send them to all processes, and they would come twice. */
  begin(duties: WorkerDuties): void {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(name, () => undefined)
    process.on('message', message => {
      if (!isOrder(message)) return
      if (message.kind === 'others') this.statistics.heard(message.numbers)
      else if (message.kind === 'question') void this.#peers.asked(message.from, message.id, message.question)
      else if (message.kind === 'answer') this.#peers.answered(message.id, message.answer)
      else if (message.kind === 'logLevel') duties.logLevel(message.level)
      else if (message.kind === 'logged') duties.logged(message.message)
      else duties[message.kind]()
    })
  }

  /** All listeners accept connections. */
  ready(): void {
    this.#tell({ kind: 'ready' })
  }

  /** Has the primary tell it to all workers, this one included. */
  ask(order: CommonOrder): void {
    this.#tell({ kind: 'asks', order })
  }

  /** A primary that is gone hears nothing. */
  #tell(report: WorkerReport): void {
    if (process.connected) process.send?.(report, undefined, undefined, () => undefined)
  }
}
