/** The middle value, or the mean of the two middle ones. Throws RangeError for no values. */
export function median(values: readonly number[]): number {
  return percentile(values, 50, 'interpolated')
}

/**
 * The value below which `percent` of the values lie: the nearest rank, or interpolated between the two neighbours.
 * Throws RangeError for no values.
 */
export function percentile(
  values: ArrayLike<number>,
  percent: number,
  between: 'nearest rank' | 'interpolated' = 'nearest rank',
): number {
  if (values.length === 0) throw new RangeError('no values to take a percentile of')
  const sorted = Float64Array.from(values).sort()
  if (between === 'nearest rank') return at(sorted, Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1))
  const rank = (percent / 100) * (sorted.length - 1)
  const below = at(sorted, Math.floor(rank))
  return below + (at(sorted, Math.ceil(rank)) - below) * (rank % 1)
}

function at(sorted: Float64Array, index: number): number {
  return sorted[index] ?? Number.NaN
}

/** How many times better `ours` is than `other`: above 1 is better, whichever direction is. NaN without both. */
export function advantage(ours: number | undefined, other: number | undefined, better: 'higher' | 'lower'): number {
  if (ours === undefined || other === undefined) return Number.NaN
  return better === 'higher' ? ours / other : other / ours
}
