import { parseArgs } from 'node:util'

/** What `x-broker data` is asked for. */
export type DataTask =
  | { readonly name: 'inspect'; readonly directory: string; readonly clientId: string | undefined }
  | { readonly name: 'export'; readonly directory: string }
  | { readonly name: 'import'; readonly directory: string; readonly source: ImportSource }
  | { readonly name: 'compact'; readonly directory: string }
  | { readonly name: 'backup'; readonly directory: string; readonly file: string }

/** What `x-broker data import` reads. */
export interface ImportSource {
  readonly kind: 'dump' | 'mosquitto' | 'aedes-level'
  readonly path: string
}

/** What a command line of `x-broker data` asks for. */
export type DataCommand =
  | { readonly kind: 'data'; readonly task: DataTask }
  | { readonly kind: 'dataHelp' }
  | { readonly kind: 'refuse'; readonly message: string }

/** The help of `x-broker data`. */
export const dataUsage: string = `x-broker data: looks at a directory that x-broker --data keeps, and moves it

  x-broker data inspect DIR [CLIENT]     sessions, queues, retained messages, sizes, and what nothing explains; or one session
  x-broker data export DIR > FILE        everything as JSON, one record on each line
  x-broker data import DIR FILE          stores such a file, all of it or nothing
  x-broker data import DIR --mosquitto mosquitto.db
                                         what Mosquitto keeps in its persistence file (version 6)
  x-broker data import DIR --aedes-level LEVELDB
                                         what aedes-persistence-level keeps (needs the package classic-level)
  x-broker data backup DIR FILE          a copy as it is at one moment; as data.mdb of an empty directory it is that store
  x-broker data compact DIR              gives free pages back to the disk

inspect, export and backup may run while brokers have the directory open; import and compact may not.
Exit codes: 0 done, 1 failed, or inspect has found what nothing explains, 2 wrong command line.
`

const options = {
  mosquitto: { type: 'string' },
  'aedes-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What each task takes after its name, by the number of words. */
const taken: Readonly<Record<DataTask['name'], { readonly words: string; readonly counts: readonly number[] }>> = {
  inspect: { words: 'DIR [CLIENT]', counts: [1, 2] },
  export: { words: 'DIR', counts: [1] },
  import: { words: 'DIR and FILE, --mosquitto FILE or --aedes-level DIR', counts: [1, 2] },
  compact: { words: 'DIR', counts: [1] },
  backup: { words: 'DIR FILE', counts: [2] },
}

/** Understands what comes after `data`; never throws. */
export function parseDataCommandLine(parameters: readonly string[]): DataCommand {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(parameters)
  } catch (error) {
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { kind: 'refuse', message }
  }
  const { values, positionals } = parsed
  const [name = '', ...words] = positionals
  if (values.help === true || positionals.length === 0) return { kind: 'dataHelp' }
  if (!isTaskName(name)) {
    return { kind: 'refuse', message: `data '${name}' is unknown, it must be one of ${Object.keys(taken).join(', ')}` }
  }
  const task = taskOf(name, words, values)
  if (task !== undefined) return { kind: 'data', task }
  return { kind: 'refuse', message: `data ${name} takes ${taken[name].words}` }
}

function parse(parameters: readonly string[]) {
  return parseArgs({ args: [...parameters], strict: true, allowPositionals: true, options })
}

function isTaskName(name: string): name is DataTask['name'] {
  return Object.hasOwn(taken, name)
}

/** Undefined: it takes something else. */
function taskOf(
  name: DataTask['name'],
  words: readonly string[],
  { mosquitto, 'aedes-level': level }: { readonly mosquitto?: string; readonly 'aedes-level'?: string },
): DataTask | undefined {
  const [directory = '', second] = words
  const isOther = name !== 'import' && (mosquitto !== undefined || level !== undefined)
  if (isOther || directory === '' || !taken[name].counts.includes(words.length)) return undefined
  switch (name) {
    case 'inspect':
      return { name, directory, clientId: second }
    case 'backup':
      return { name, directory, file: second ?? '' }
    case 'import': {
      const sources: ImportSource[] = []
      if (second !== undefined) sources.push({ kind: 'dump', path: second })
      if (mosquitto !== undefined) sources.push({ kind: 'mosquitto', path: mosquitto })
      if (level !== undefined) sources.push({ kind: 'aedes-level', path: level })
      const [source] = sources
      return source === undefined || sources.length > 1 ? undefined : { name, directory, source }
    }
    default:
      return { name, directory }
  }
}
