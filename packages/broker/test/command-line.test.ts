import { expect, test } from 'vitest'
import { logLevels, parseCommandLine } from '../src/command-line.ts'

const defaults = { kind: 'run', port: 1883, host: undefined, logLevel: 'info', sysInterval: 10 }

test.for<[string[], object]>([
  [[], defaults],
  [['--port', '2883'], { ...defaults, port: 2883 }],
  [['--port=0'], { ...defaults, port: 0 }],
  [['-p', '65535'], { ...defaults, port: 65_535 }],
  [['-p', '1', '-p', '2'], { ...defaults, port: 2 }],
  [['--host', '127.0.0.1'], { ...defaults, host: '127.0.0.1' }],
  [['-H', '::1'], { ...defaults, host: '::1' }],
  [['--log-level', 'silent'], { ...defaults, logLevel: 'silent' }],
  [['-l', 'debug'], { ...defaults, logLevel: 'debug' }],
  [['--sys-interval', '0'], { ...defaults, sysInterval: 0 }],
  [['-s', '3600'], { ...defaults, sysInterval: 3600 }],
  [['--help'], { kind: 'help' }],
  [['-h', '--port', 'none'], { kind: 'help' }],
  [['--version'], { kind: 'version' }],
  [['-v'], { kind: 'version' }],
])('understands %j', ([parameters, command]) => {
  expect(parseCommandLine(parameters)).toEqual(command)
})

test.each(logLevels)('takes the log level %s', logLevel => {
  expect(parseCommandLine(['--log-level', logLevel])).toEqual({ ...defaults, logLevel })
})

test.for<[string[], string]>([
  [['--port', '65536'], "--port is '65536', it must be a whole number from 0 to 65535"],
  [['--port', 'mqtt'], "--port is 'mqtt', it must be a whole number from 0 to 65535"],
  [['--port', '18.83'], "--port is '18.83', it must be a whole number from 0 to 65535"],
  [['--port', '1e3'], "--port is '1e3', it must be a whole number from 0 to 65535"],
  [['--port', ' 1883'], "--port is ' 1883', it must be a whole number from 0 to 65535"],
  [['--port='], "--port is '', it must be a whole number from 0 to 65535"],
  [['--port=-1'], "--port is '-1', it must be a whole number from 0 to 65535"],
  [['--sys-interval', '3601'], "--sys-interval is '3601', it must be a whole number from 0 to 3600"],
  [['--sys-interval', 'often'], "--sys-interval is 'often', it must be a whole number from 0 to 3600"],
  [['--host='], "--host is '', it must be an address or a host name"],
  [['--log-level', 'loud'], `--log-level is 'loud', it must be one of ${logLevels.join(', ')}`],
  [['--log-level', 'INFO'], `--log-level is 'INFO', it must be one of ${logLevels.join(', ')}`],
])('refuses %j', ([parameters, message]) => {
  expect(parseCommandLine(parameters)).toEqual({ kind: 'refuse', message })
})

// The sentences are Node's and differ between its versions.
test.for<[string[], string]>([
  [['--port'], '--port'],
  [['--port', '-1'], '--port'],
  [['--prot', '1883'], '--prot'],
  [['-x'], '-x'],
  [['1883'], '1883'],
  [['--help=yes'], '--help'],
])('refuses %j in one line that names %s', ([parameters, named]) => {
  const command = parseCommandLine(parameters)
  expect(command).toEqual({ kind: 'refuse', message: expect.stringContaining(named) as unknown })
  expect(JSON.stringify(command)).not.toContain(String.raw`\n`)
})
