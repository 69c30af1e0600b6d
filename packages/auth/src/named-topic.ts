/** Whom `%u` and `%c` stand for. */
export interface Names {
  /** Undefined: the client gave none. */
  readonly username: string | undefined
  readonly clientId: string
}

const placeholders: ReadonlySet<string> = new Set(['%c', '%u'])

/** Whether `%c` or `%u` is a whole level. */
export function hasPlaceholder(topic: string): boolean {
  return topic.split('/').some(level => placeholders.has(level))
}

/** The filter for one client; undefined where a name is missing, can't be a level, would be a wildcard, or would lead into the topics that
 * begin with `$`. */
export function namedTopic(topic: string, { username, clientId }: Names): string | undefined {
  if (!topic.includes('%')) return topic
  const levels = topic.split('/')
  const named: string[] = []
  for (const level of levels) {
    const name = level === '%c' ? clientId : level === '%u' ? username : level
    if (name === undefined) return undefined
    if (placeholders.has(level) && /[+#/]/.test(name)) return undefined
    named.push(name)
  }
  return named[0]?.startsWith('$') === true && !topic.startsWith('$') ? undefined : named.join('/')
}
