import { windows } from './load-average.ts'
import type { Sample } from './sample.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** What stands under `$SYS/<id>/`: the topics of aedes-stats 4. */
export function aedesTree(sample: Sample): [topic: string, payload: string][] {
  const { counts, counters, maximumClients, heap, maximumHeap, processor, processorAverages } = sample
  const values: Readonly<Record<string, string | number>> = {
    uptime: describeUptime(sample.uptime),
    time: new Date(sample.now).toISOString(),
    'clients/total': counts.connectedClients,
    'clients/maximum': maximumClients,
    'messages/publish/sent': counters.publishesReceived,
    'memory/heap/current': heap,
    'memory/heap/maximum': maximumHeap,
    'cpu/usage': processor.toFixed(2),
    ...Object.fromEntries(
      windows.map((minutes, index) => [`cpu/avg/last/${minutes}`, (processorAverages[index] ?? 0).toFixed(2)]),
    ),
  }
  return Object.entries(values).map(([name, value]) => [`$SYS/${sample.brokerId}/${name}`, String(value)])
}

/** As `1d 2h 3m 4s`. */
function describeUptime(uptime: number): string {
  const [days, hours] = [Math.floor(uptime / day), Math.floor((uptime % day) / hour)]
  const [minutes, seconds] = [Math.floor((uptime % hour) / minute), Math.floor((uptime % minute) / second)]
  return `${days}d ${hours}h ${minutes}m ${seconds}s`
}
