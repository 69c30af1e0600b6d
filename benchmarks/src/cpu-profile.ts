/** What `--cpu-prof` of Node.js writes, as far as it is needed here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Ids of the nodes that were on top, one for each sample. */
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
  readonly children?: readonly number[]
}

/** Where the time of a broker goes. The kernel's share holds the event loop's own part too: V8 does not tell them apart. */
export const places = [
  'kernel',
  'Node.js',
  'codec',
  'routing',
  'engine',
  'links',
  'store',
  'garbage collection',
] as const
export type Place = (typeof places)[number]

/** Parts of a file's address, and where its time belongs; the first one found counts. */
const placesByAddress: readonly (readonly [string, Place])[] = [
  ['packages/packet/', 'codec'],
  ['node_modules/mqtt-packet/', 'codec'],
  ['node_modules/bl/', 'codec'],
  ['packages/topic-trie/', 'routing'],
  ['node_modules/qlobber/', 'routing'],
  ['broker-core/dist/router.js', 'routing'],
  ['packages/emitter-', 'links'],
  ['packages/persistence-', 'store'],
  ['packages/', 'engine'],
  ['node_modules/', 'engine'],
  ['node:', 'Node.js'],
]

/** The share of each place in the time that the processes were busy with connections: idling and start-up are left out. */
export function sharesOf(profiles: readonly CpuProfile[]): Map<Place, number> {
  const times = new Map<Place, number>(places.map(place => [place, 0]))
  for (const profile of profiles) addTimes(profile, times)
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  return new Map([...times].map(([place, time]) => [place, total === 0 ? 0 : time / total]))
}

function addTimes({ nodes, samples, timeDeltas }: CpuProfile, times: Map<Place, number>): void {
  const placeOfNode = placesOfNodes(nodes)
  for (const [index, id] of samples.entries()) {
    const place = placeOfNode.get(id)
    if (place !== undefined) times.set(place, (times.get(place) ?? 0) + (timeDeltas[index] ?? 0))
  }
}

function placesOfNodes(nodes: readonly ProfileNode[]): Map<number, Place> {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const found = new Map<number, Place>()
  const visit = (node: ProfileNode): void => {
    const { url } = node.callFrame
    // Loading modules, and all that they do while they are loaded.
    if (url.startsWith('node:internal/modules') || url.startsWith('node:internal/main')) return
    const place = placeOf(node.callFrame)
    if (place !== undefined) found.set(node.id, place)
    for (const child of node.children ?? []) {
      const next = byId.get(child)
      if (next !== undefined) visit(next)
    }
  }
  const [root] = nodes
  if (root !== undefined) visit(root)
  return found
}

function placeOf({ functionName, url }: ProfileNode['callFrame']): Place | undefined {
  if (functionName === '(idle)' || functionName === '(root)') return undefined
  if (functionName === '(garbage collector)') return 'garbage collection'
  // Without an address: the event loop, and what is written in C++, nearly all of it system calls.
  if (url === '') return 'kernel'
  return placesByAddress.find(([part]) => url.includes(part))?.[1] ?? 'engine'
}
