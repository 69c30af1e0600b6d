/** The part of the lexical index of topics in which all matches of a filter lie: bounds of ZRANGEBYLEX; undefined for a filter
 * without wildcards. */
export function retainedRange(filter: string): { readonly from: string; readonly through: string } | undefined {
  const levels = filter.split('/')
  const wildcard = levels.findIndex(level => level === '+' || level === '#')
  if (wildcard === -1) return undefined
  if (wildcard === 0) return { from: '-', through: '+' }
  const prefix = levels.slice(0, wildcard).join('/')
  // `0` follows `/`. With `#` the topic without that level matches too.
  return { from: levels[wildcard] === '#' ? `[${prefix}` : `[${prefix}/`, through: `(${prefix}0` }
}
