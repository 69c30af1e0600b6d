import { clientSettings } from './client-settings.ts'
import type { Flags } from './flags.ts'
import { timedOutCode } from './subscribe-tool.ts'
import { ToolClient } from './tool-client.ts'
import type { ToolOutput } from './tool-client.ts'
import { ToolError } from './tool-error.ts'
import { topFrame } from './top-frame.ts'
import { TopNumbers } from './top-numbers.ts'

/** ms between two frames. */
const interval = 1000
/** ms for the first number to come. What the broker has said is retained. */
const patience = 15_000
const noNumbers =
  'Error: nothing came below $SYS/broker/. Has the broker --sys-interval 0, or may this user not receive it?'

// The other screen of a terminal, and the usual one again.
const begin = '\u001B[?1049h\u001B[?25l'
const end = '\u001B[?25h\u001B[?1049l'
/** What Ctrl-C is where it is no signal. */
const endOfText = '\u0003'
const home = '\u001B[H'
const restOfLine = '\u001B[K'
const restOfScreen = '\u001B[J'

/** `x-broker top`: shows the broker's numbers again and again. Returns the exit code.
 * @throws ToolError */
export async function topTool(flags: Flags, output: ToolOutput): Promise<number> {
  const settings = clientSettings(flags)
  const count = flags.whole('count', [1, 2 ** 31], text => `Invalid frame count "${text}".\n`) ?? Infinity
  const client = new ToolClient(settings, output)
  const numbers = new TopNumbers()
  const first = new Promise<void>(resolve => {
    client.mqtt.on('message', (topic, payload) => {
      numbers.take(topic, payload.toString(), performance.now())
      resolve()
    })
  })
  await client.connect()
  await client.mqtt.subscribeAsync('$SYS/broker/#')
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new ToolError(noNumbers, { exitCode: timedOutCode })), patience).unref()
  })
  try {
    await Promise.race([first, late, client.lost()])
    await Promise.race([show(numbers, { output, count }), client.lost()])
  } catch (error) {
    client.drop()
    throw error
  }
  await client.end()
  return 0
}

interface Showing {
  readonly output: ToolOutput
  /** Frames. */
  readonly count: number
}

/** Settles when it is over. */
async function show(numbers: TopNumbers, { output, count }: Showing): Promise<void> {
  const isScreen = process.stdout.isTTY && count === Infinity
  const stopped = userStops(isScreen)
  if (isScreen) output.out(begin)
  try {
    for (let frame = 0; frame < count; frame += 1) {
      // A broker tells all its numbers in one go: what it has just begun is shown whole.
      const pause = new Promise<'goOn'>(
        resolve => void setTimeout(resolve, frame === 0 ? interval / 4 : interval, 'goOn'),
      )
      if ((await Promise.race([pause, stopped])) === 'stop') return
      const lines = topFrame(numbers, performance.now())
      output.out(
        isScreen ? `${home}${lines.join(`${restOfLine}\n`)}${restOfLine}\n${restOfScreen}` : `${lines.join('\n')}\n\n`,
      )
    }
  } finally {
    if (isScreen) {
      output.out(end)
      process.stdin.setRawMode(false)
      process.stdin.pause()
    }
  }
}

/** Settles when the user has had enough: a signal, or on a screen the key q or Ctrl-C. */
function userStops(isScreen: boolean): Promise<'stop'> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('stop'))
    if (!isScreen || !process.stdin.isTTY) return
    process.stdin.setRawMode(true)
    process.stdin.on('data', keys => {
      if (['q', 'Q', endOfText].includes(keys.toString())) resolve('stop')
    })
  })
}
