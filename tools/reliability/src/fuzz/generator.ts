import { Random } from '@x/chaos/random'
import type { Version } from '../wire/bytes.ts'
import { manners, programCalls, styles } from './case.ts'
import type { Case, Conversation, Fault, Step } from './case.ts'
import { mutate, randomCuts } from './mutation.ts'
import { connectPacket, randomClientId, randomPacket, randomTopic } from './packets.ts'
import type { Talk } from './packets.ts'
import { randomOptions } from './options.ts'
import { places } from './places.ts'
import { proxyHeader } from './proxy-header.ts'

/** The trial of a seed. */
export function generate(seed: number, conversations: number): Case {
  const random = new Random(seed)
  const sockets = random.chance(0.02)
  const trustProxy = random.chance(0.1)
  const count = sockets ? Math.min(conversations, 12) : conversations
  return {
    slowStore: random.chance(0.4),
    trustProxy,
    sockets,
    cluster: random.chance(0.3),
    options: randomOptions(random),
    faults: randomFaults(random),
    conversations: Array.from({ length: count }, () => randomConversation(random, { sockets, trustProxy })),
  }
}

/** Some places misbehave, each in a few styles; the others do what they should. */
function randomFaults(random: Random): Record<string, Fault> {
  const faults: Record<string, Fault> = {}
  for (const [place, { chance, allowed }] of Object.entries(places)) {
    if (!random.chance(chance)) continue
    const candidates = styles.filter(style => allowed.includes(style))
    const wild = random.chance(0.3)
    faults[place] = {
      callback: random.chance(0.5),
      styles: Array.from({ length: random.between(1, 6) }, () =>
        wild || random.chance(0.4) ? random.pick(candidates) : 'ok',
      ),
    }
  }
  return faults
}

interface Surroundings {
  readonly sockets: boolean
  readonly trustProxy: boolean
}

function randomConversation(random: Random, { sockets, trustProxy }: Surroundings): Conversation {
  if (random.chance(0.05)) return programConversation(random)
  const version = random.pick<Version>([3, 4, 4, 5, 5, 5])
  const talk: Talk = { random, version, clientId: randomClientId(random), ids: [], aliases: new Set(), nextId: 0 }
  const steps: Step[] = []
  if (trustProxy && random.chance(0.6)) steps.push(send(random, wrongNowAndThen(random, proxyHeader(random))))
  if (random.chance(0.97)) steps.push(send(random, wrongNowAndThen(random, connectPacket(talk))))
  // Who takes nothing from the beginning on is met by everything that is sent to it.
  if (random.chance(0.06)) steps.push({ do: 'freeze' })
  for (let count = random.between(0, 12); count > 0; count--) steps.push(randomStep(talk))
  if (random.chance(0.1)) swapTwo(random, steps)
  return {
    way: sockets && random.chance(0.5) ? 'websocket' : 'stream',
    manner: random.pick(['polite', 'polite', ...manners]),
    steps,
  }
}

function randomStep(talk: Talk): Step {
  const { random } = talk
  if (random.chance(0.8)) return send(random, severalAtOnce(talk))
  return random.pick<() => Step>([
    () => ({ do: 'wait', turns: random.between(1, 5) }),
    () => ({ do: 'wait', turns: 1 }),
    () => ({ do: 'advance', milliseconds: random.pick([100, 600, 2000]) }),
    () => ({ do: 'freeze' }),
    () => ({ do: 'thaw' }),
    () => ({ do: 'end' }),
    () => ({ do: 'destroy' }),
    () => ({ do: 'fail' }),
  ])()
}

/** Mostly one packet; now and then several in one chunk. */
function severalAtOnce(talk: Talk): Buffer {
  const { random } = talk
  const count = random.chance(0.75) ? 1 : random.between(2, 5)
  return Buffer.concat(Array.from({ length: count }, () => wrongNowAndThen(random, randomPacket(talk))))
}

function wrongNowAndThen(random: Random, whole: Buffer): Buffer {
  return random.chance(0.06) ? mutate(random, whole) : whole
}

function send(random: Random, whole: Buffer): Step {
  const cuts = randomCuts(random, whole.length)
  return { do: 'send', hex: whole.toString('hex'), ...(cuts.length > 0 && { cuts }) }
}

function swapTwo(random: Random, steps: Step[]): void {
  if (steps.length < 2) return
  const at = random.between(0, steps.length - 2)
  steps.push(...steps.splice(at, 2).toReversed())
}

function programConversation(random: Random): Conversation {
  const steps = Array.from({ length: random.between(1, 8) }, (): Step => {
    if (random.chance(0.3)) return { do: 'wait', turns: random.between(1, 4) }
    return {
      do: 'call',
      method: random.pick(programCalls),
      client: randomClientId(random),
      topic: randomTopic(random),
      qos: random.pick([0, 1, 2]),
    }
  })
  return { way: 'program', manner: 'polite', steps }
}
