/** What a scrape of `/metrics` takes of the event loop, with many connections and retained messages. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { TurnReading } from '../measure/turn-meter.ts'
import { connect } from '../wire/bytes.ts'

/** ms of CPU that a turn may take. */
const most = 20
/** Sockets that are opened at a time. */
const atATime = 200

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    retained: { type: 'string', default: '100000' },
    scrapes: { type: 'string', default: '20' },
  },
})
const [connections, retained, scrapes] = [values.connections, values.retained, values.scrapes].map(Number) as [
  number,
  number,
  number,
]
if (![connections, retained, scrapes].every(value => Number.isInteger(value) && value > 0)) {
  process.stderr.write('scrape: --connections NUMBER --retained NUMBER --scrapes NUMBER\n')
  process.exit(2)
}
const main = fileURLToPath(new URL('./scrape-main.js', import.meta.url))
const broker = fork(main, [String(retained)], { execArgv: ['--expose-gc'] })
try {
  const { port, url } = (await told(broker)) as { port: number; url: string }
  const sockets: Socket[] = []
  while (sockets.length < connections) {
    const count = Math.min(atATime, connections - sockets.length)
    sockets.push(
      ...(await Promise.all(Array.from({ length: count }, async (_, index) => client(port, sockets.length + index)))),
    )
  }
  const readings: TurnReading[] = []
  for (let count = 0; count < scrapes; count += 1) readings.push(await scrape(url))
  const [first, ...later] = readings
  print(`the first scrape, which loads and compiles`, first === undefined ? [] : [first])
  print(`${later.length} more`, later)
  const longest = Math.max(...later.map(({ longestTurn }) => longestTurn))
  process.stdout.write(
    `${longest > most ? 'NOT RIGHT' : 'fine'}: ${longest.toFixed(1)} ms in one turn, ${most} allowed\n`,
  )
  process.exitCode = longest > most ? 1 : 0
  for (const socket of sockets) socket.destroy()
} finally {
  broker.kill('SIGKILL')
}

async function scrape(url: string): Promise<TurnReading> {
  broker.send('begin')
  await told(broker)
  const response = await fetch(`${url}/metrics`)
  const text = await response.text()
  broker.send('read')
  const reading = (await told(broker)) as TurnReading
  if (!text.includes(`\nmqtt_clients_connected ${connections}\n`)) throw new Error('not all clients are there')
  if (!text.includes(`\nmqtt_retained_messages ${retained}\n`)) throw new Error('not all messages are there')
  return reading
}

async function client(port: number, index: number): Promise<Socket> {
  const socket = connectSocket(port, '127.0.0.1')
  socket.write(connect({ version: 4, clientId: `client${index}` }))
  await once(socket, 'data')
  return socket
}

function told(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error('the broker has ended'))
    child.once('exit', fail)
    child.once('message', message => {
      child.off('exit', fail)
      resolve(message)
    })
  })
}

function print(what: string, readings: readonly TurnReading[]): void {
  const sorted = (pick: (reading: TurnReading) => number): number[] => readings.map(pick).toSorted((a, b) => a - b)
  const [cpu, turns] = [sorted(reading => reading.cpu), sorted(({ longestTurn }) => longestTurn)]
  const middle = Math.floor(readings.length / 2)
  const figures = [cpu[middle], turns[middle], turns.at(-1)].map(value => (value ?? Number.NaN).toFixed(1))
  process.stdout.write(`${what}: ${figures[0]} ms of CPU, longest turn ${figures[1]} ms, at most ${figures[2]} ms\n`)
}
