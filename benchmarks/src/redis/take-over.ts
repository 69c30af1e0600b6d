import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { connectFrame, subscribeFrame } from '@x/load'
import { latencyMetrics } from '../load/latency.ts'
import type { LoadPlan } from '../load/measure.ts'
import { CpuMeter, residentBytes } from '../load/process-usage.ts'
import type { LoadResult } from '../load/result.ts'

const clientId = 'wanderer'
/** Share of the take-overs that warms up. */
const warmUpShare = 0.1

/** Measures the time from writing CONNECT to CONNACK, when the client is connected at the other broker. */
export async function measureTakeOver(count: number, ports: readonly number[], plan: LoadPlan): Promise<LoadResult> {
  const first = await arrive(ports[0] ?? 0)
  first.socket.write(subscribeFrame(4, ['bench/#'], 1))
  await once(first.socket, 'data')
  const samples: number[] = []
  const warmUp = Math.ceil(count * warmUpShare)
  let previous = first.socket
  let meter = new CpuMeter(plan.brokerPid)
  for (let index = 1; index <= warmUp + count; index += 1) {
    if (index === warmUp) meter = new CpuMeter(plan.brokerPid)
    const { socket, milliseconds } = await arrive(ports[index % ports.length] ?? 0)
    if (index > warmUp) samples.push(milliseconds * 1000)
    // The one that was taken over is closed by its broker.
    if (!previous.closed) await once(previous, 'close')
    previous = socket
  }
  return {
    metrics: latencyMetrics(samples),
    expected: count,
    delivered: samples.length,
    capped: false,
    ...meter.read(),
    brokerRssBytes: residentBytes(plan.brokerPid),
    notes: [],
  }
}

async function arrive(port: number): Promise<{ socket: Socket; milliseconds: number }> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  // What a broker resets is as closed as what it ends.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const startedAt = performance.now()
  socket.write(connectFrame({ version: 4, clientId, clean: false }))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  const milliseconds = performance.now() - startedAt
  if (answer[0] !== 0x20 || answer[3] !== 0) throw new Error(`CONNECT answered with <${answer.toString('hex')}>`)
  socket.resume()
  return { socket, milliseconds }
}
