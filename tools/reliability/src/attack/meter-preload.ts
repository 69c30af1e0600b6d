/** Loaded into the broker's process before anything else; tells its parent what it measures. */
import { TurnMeter } from '../measure/turn-meter.ts'

const meter = new TurnMeter()
meter.start()

process.on('message', (message: unknown) => {
  if (message === 'begin') {
    collect()
    meter.reset()
    process.send?.({ kind: 'begun', held: heldBytes() })
  }
  if (message === 'read') process.send?.({ kind: 'turns', ...meter.read() })
  if (message === 'held') {
    const { cpu } = meter.read()
    collect()
    process.send?.({ kind: 'held', held: heldBytes(), cpu })
    meter.forgive()
  }
})
// The measuring alone keeps no process running.
process.channel?.unref()

/** Twice: what has a finaliser goes with the second one. */
function collect(): void {
  globalThis.gc?.()
  globalThis.gc?.()
}

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
