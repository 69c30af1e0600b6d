import type { Random } from '@x/chaos/random'

/** Does something wrong to a packet. */
export function mutate(random: Random, whole: Buffer): Buffer {
  if (whole.length === 0) return whole
  return random.pick([flip, cut, repeat, insert, overwrite, lengthen, join])(random, whole)
}

function flip(random: Random, whole: Buffer): Buffer {
  const changed = Buffer.from(whole)
  const at = random.between(0, whole.length - 1)
  changed[at] = (changed[at] ?? 0) ^ (1 << random.between(0, 7))
  return changed
}

function cut(random: Random, whole: Buffer): Buffer {
  return whole.subarray(0, random.between(0, whole.length - 1))
}

function repeat(random: Random, whole: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: random.between(2, 5) }, () => whole))
}

function insert(random: Random, whole: Buffer): Buffer {
  const at = random.between(0, whole.length)
  const more = Buffer.from(Array.from({ length: random.between(1, 4) }, () => random.between(0, 255)))
  return Buffer.concat([whole.subarray(0, at), more, whole.subarray(at)])
}

function overwrite(random: Random, whole: Buffer): Buffer {
  const changed = Buffer.from(whole)
  changed[random.between(0, whole.length - 1)] = random.pick([0, 1, 0x7f, 0x80, 0xff])
  return changed
}

/** Another Remaining Length than it has. */
function lengthen(random: Random, whole: Buffer): Buffer {
  const changed = Buffer.from(whole)
  if (changed.length > 1) changed[1] = ((changed[1] ?? 0) + random.between(-3, 3)) & 0x7f
  return changed
}

/** Two halves that don't belong together. */
function join(random: Random, whole: Buffer): Buffer {
  const [first, second] = [random.between(0, whole.length), random.between(0, whole.length)]
  return Buffer.concat([whole.subarray(0, first), whole.subarray(second)])
}

/** Chunks that it arrives in: mostly one, now and then a few, or one for each byte. */
export function randomCuts(random: Random, length: number): number[] {
  if (length < 2 || random.chance(0.7)) return []
  if (length < 40 && random.chance(0.2)) return Array.from({ length: length - 1 }, () => 1)
  const cuts: number[] = []
  for (let rest = length; rest > 1 && cuts.length < 3;) {
    const size = random.between(1, rest - 1)
    cuts.push(size)
    rest -= size
  }
  return cuts
}
