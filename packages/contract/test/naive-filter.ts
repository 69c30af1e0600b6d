/** The rules of MQTT 5.0 §4.7, as plainly as they can be written. */
export function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && (filter.startsWith('#') || filter.startsWith('+'))) return false
  const levels = topic.split('/')
  const parts = filter.split('/')
  for (const [index, part] of parts.entries()) {
    if (part === '#') return levels.length >= index
    if (index >= levels.length || (part !== '+' && part !== levels[index])) return false
  }
  return parts.length === levels.length
}
