/** What explains keys: names of what is there. */
export interface Explanations {
  readonly sessions: ReadonlySet<string>
  readonly brokers: ReadonlySet<string>
  /** Shared groups with members. */
  readonly groups: ReadonlySet<string>
  /** Numbers of fan-outs, and of ended sessions, that are still to be done. */
  readonly fanOuts: ReadonlySet<string>
  readonly ended: ReadonlySet<string>
}

/** Keys that are there once. */
const single = new Set(
  'n nv rv rx re rl fan fan-of fan-not ended ended-of worker t w leases fo generation births counts told calls tasks adopted schema'.split(
    ' ',
  ),
)

/** What a key that goes with something is of, by its first part. */
const owners: Readonly<Record<string, keyof Explanations>> = {
  u: 'sessions',
  q: 'sessions',
  r: 'sessions',
  i: 'sessions',
  g: 'sessions',
  gz: 'groups',
  gm: 'groups',
  gs: 'groups',
  on: 'brokers',
  fan: 'fanOuts',
  x: 'ended',
}
/** They stand for themselves. */
const explaining = new Set(['s', 'f', 'm'])

/** The first part of a key behind the base, and what follows. */
export function partsOf(key: string): readonly [kind: string, name: string] {
  const colon = key.indexOf(':')
  return colon < 0 ? [key, ''] : [key.slice(0, colon), key.slice(colon + 1)]
}

/** Whether something that is there explains a key. */
export function isExplained(key: string, there: Explanations): boolean {
  const [kind, name] = partsOf(key)
  if (name === '') return single.has(key)
  const owner = owners[kind]
  return owner === undefined ? explaining.has(kind) : there[owner].has(name)
}
