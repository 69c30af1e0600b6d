import { parseArgs } from 'node:util'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

const greatestPort = 65_535
/** Seconds: an hour. */
const greatestSysInterval = 3600

/** What a command line asks for. */
export type Command =
  | {
      readonly kind: 'run'
      readonly port: number
      readonly host: string | undefined
      readonly logLevel: LogLevel
      /** Seconds; 0: no statistics. */
      readonly sysInterval: number
    }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'refuse'; readonly message: string }

export const usage: string = `x-broker: an MQTT broker (3.1, 3.1.1, 5.0)

  x-broker [options]

  -p, --port NUMBER      TCP port to listen on; 0: any free one (default 1883)
  -H, --host ADDRESS     address to bind (default: all)
  -l, --log-level LEVEL  ${logLevels.join(', ')} (default info)
  -s, --sys-interval S   seconds between two looks at the $SYS statistics; 0: none (default 10)
  -h, --help             this text
  -v, --version          the version

Logs go to standard output: readable in a terminal, JSON lines otherwise. SIGINT and SIGTERM close gracefully; a second
one ends at once. Exit codes: 0 closed, 1 could not start or closed by an error, 2 wrong command line.
`

/** Understands a command line; never throws. */
export function parseCommandLine(parameters: readonly string[]): Command {
  let values: {
    port?: string
    host?: string
    'log-level'?: string
    'sys-interval'?: string
    help?: boolean
    version?: boolean
  }
  try {
    ;({ values } = parseArgs({
      args: [...parameters],
      strict: true,
      allowPositionals: false,
      options: {
        port: { type: 'string', short: 'p' },
        host: { type: 'string', short: 'H' },
        'log-level': { type: 'string', short: 'l' },
        'sys-interval': { type: 'string', short: 's' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    }))
  } catch (error) {
    // Node's further lines are advice on its parser, not on this command.
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { kind: 'refuse', message }
  }
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  const port = parseWhole(values.port ?? '1883', greatestPort)
  if (port === undefined) {
    return { kind: 'refuse', message: `--port is '${values.port}', it must be a whole number from 0 to 65535` }
  }
  const logLevel = logLevels.find(level => level === (values['log-level'] ?? 'info'))
  if (logLevel === undefined) {
    return {
      kind: 'refuse',
      message: `--log-level is '${values['log-level']}', it must be one of ${logLevels.join(', ')}`,
    }
  }
  if (values.host === '') return { kind: 'refuse', message: "--host is '', it must be an address or a host name" }
  const sysInterval = parseWhole(values['sys-interval'] ?? '10', greatestSysInterval)
  if (sysInterval === undefined) {
    const message = `--sys-interval is '${values['sys-interval']}', it must be a whole number from 0 to ${greatestSysInterval}`
    return { kind: 'refuse', message }
  }
  return { kind: 'run', port, host: values.host, logLevel, sysInterval }
}

function parseWhole(text: string, greatest: number): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined
  const number = Number(text)
  return number <= greatest ? number : undefined
}
