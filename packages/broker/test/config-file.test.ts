import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../src/config/load-config.ts'
import { prepare } from '../src/config/prepare.ts'
import type { Config } from '../src/config/schema.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function fileWith(name: string, text: string): string {
  const directory = temporaryFolder()
  writeFileSync(join(directory, 'plain'), '#\nbob:secret\n')
  writeFileSync(join(directory, 'odd'), ' #\n')
  writeFileSync(join(directory, name), text.replaceAll('DIR', directory))
  return join(directory, name)
}

const load = (file: string | undefined, environment: NodeJS.ProcessEnv = {}, flags: Config = {}): Config =>
  loadConfig({ file, environment, flags }).config

test('YAML, JSON and TOML say the same', () => {
  const config = { listeners: [{ port: 1884, host: '*' }], limits: { maximumInflight: 5 }, log: { level: 'warn' } }
  const texts = {
    'a.yaml': 'listeners:\n  - port: 1884\n    host: "*"\nlimits:\n  maximumInflight: 5\nlog: { level: warn }\n',
    'a.json': JSON.stringify(config),
    'a.toml': '[[listeners]]\nport = 1884\nhost = "*"\n[limits]\nmaximumInflight = 5\n[log]\nlevel = "warn"\n',
  }
  for (const [name, text] of Object.entries(texts)) expect(load(fileWith(name, text))).toEqual(config)
})

test('the command line outweighs the environment, which outweighs the file', () => {
  const text = 'limits: { maximumInflight: 1, maximumQoS: 1 }\nlog: { level: warn }\nlisteners: [{ port: 1 }]\n'
  const environment = {
    X_BROKER_LIMITS_MAXIMUM_INFLIGHT: '2',
    X_BROKER_LOG_LEVEL: 'error',
    X_BROKER_LISTENERS: '[{ port: 2 }]',
    OTHER: 'x',
  }
  const flags: Config = { log: { level: 'debug' } }
  expect(load(fileWith('x.yaml', text), environment, flags)).toEqual({
    limits: { maximumInflight: 2, maximumQoS: 1 },
    log: { level: 'debug' },
    listeners: [{ port: 2 }],
  })
  expect(load(fileWith('x.yaml', text), environment, { listeners: [{ port: 3 }] }).listeners).toEqual([{ port: 3 }])
})

test("a port of the command line counts beside Mosquitto's file only when that has no listener", () => {
  const flags: Config = { listeners: [{ port: 3 }] }
  expect(load(fileWith('m.conf', 'max_keepalive 60\n'), {}, flags).listeners).toMatchObject([{ port: 3 }])
  const file = fileWith('m.conf', 'listener 1884\n')
  const { config, notices } = loadConfig({ file, environment: {}, flags })
  expect(config.listeners).toMatchObject([{ port: 1884 }])
  expect(notices).toEqual([`${file}: --port is ignored, since there are listeners, as with Mosquitto`])
})

test.for<[environment: NodeJS.ProcessEnv, message: string]>([
  [{ X_BROKER_PORTT: '1' }, 'X_BROKER_PORTT is unknown; CONFIGURATION.md lists the variables'],
  [{ X_BROKER_LOG_LEVEL: 'loud' }, 'X_BROKER_LOG_LEVEL: log.level is'],
  [{ X_BROKER_LISTENERS: '[{ port: x }]' }, "X_BROKER_LISTENERS: listeners[0].port is 'x', it must be a number"],
  [{ X_BROKER_LISTENERS: '[' }, 'X_BROKER_LISTENERS: '],
])('the environment %j is refused', ([environment, message]) => {
  expect(() => load(undefined, environment)).toThrow(message)
})

test.for<[name: string, text: string, ...problems: string[]]>([
  [
    'x.yaml',
    'listeners:\n  - port: 99999\nlimitz: 1\n',
    'x.yaml:2: listeners[0].port is 99999, it must be at most 65535',
    'x.yaml:3: limitz is unknown',
  ],
  [
    'x.yaml',
    'log:\n  level: loud\n',
    "x.yaml:2: log.level is 'loud', it must be one of trace, debug, info, warn, error, fatal, silent",
  ],
  ['x.yaml', 'a: [\n', 'x.yaml:2: '],
  ['x.yaml', 'id: a\nid: b\n', 'x.yaml:2: Map keys must be unique'],
  ['x.yaml', 'text\n', "the configuration is 'text', it must be a section with keys of its own"],
  ['x.json', '{\n  "store": { "data": 5 }\n}\n', 'x.json:2: store.data is 5, it must be a text'],
  [
    'x.toml',
    '[limits]\nmaximumQoS = 1\nmaximumInflight = 0\n',
    'x.toml:3: limits.maximumInflight is 0, it must be at least 1',
  ],
  ['x.toml', 'a = \n', 'x.toml:1: '],
  ['x.yaml', 'store: { data: a, redis: "redis://b" }\n', 'store.data and store.redis are two places for one store'],
  ['x.yaml', 'workers: all\n', "workers is 'all', it must be a whole number from 1 to 256, or auto"],
  ['x.yaml', 'workers: 0\n', 'x.yaml:1: workers is 0, it must be at least 1'],
  [
    'x.yaml',
    'workers: 2\nmesh: { directory: m }\nid: x\n',
    'mesh is given, but workers are connected by a mesh of their own',
    'id is given, but each of the workers has one of its own',
  ],
  [
    'x.yaml',
    'listeners: [{ protocols: [mqtts] }]\n',
    'listeners[0].tls is missing: mqtts need a certificate and a key',
  ],
  ['x.yaml', 'access: { passwordFile: DIR/missing }\n', 'missing: there is no such file'],
  ['x.yaml', 'access: { passwordFile: DIR/plain }\n', "plain:2: user 'bob': the password is not hashed"],
  ['x.yaml', 'access: { aclFile: DIR/odd }\n', "odd:1: the line begins with '#', it must begin with"],
  ['x.yaml', 'listeners: [{ tls: { cert: DIR/odd, key: DIR/odd } }]\n', 'listeners[0].tls.cert '],
  ['x.yaml', 'listeners: [{}, { tls: { cert: DIR/odd, key: DIR/odd } }]\n', 'listeners[1].tls.cert '],
  ['x.conf', 'nonsense\n', 'x.conf:1: nonsense is no directive of Mosquitto'],
])('%s with %j is refused with its place', ([name, text, ...problems]) => {
  const file = fileWith(name, text)
  for (const problem of problems) expect(() => prepare(load(file))).toThrow(problem)
})

test.for<[config: Config, anonymous: boolean | undefined]>([
  [{}, undefined],
  [{ listeners: [{ port: 1 }] }, undefined],
  [{ listeners: [{ host: 'localhost' }] }, undefined],
  [{ listeners: [{ socketPath: '/run/x' }] }, undefined],
  [{ listeners: [{ host: '*' }] }, false],
  [{ listeners: [{ host: ['127.0.0.1', '10.0.0.1'] }] }, false],
  [{ listeners: [{ host: '*', access: { allowAnonymous: true } }] }, undefined],
  [{ listeners: [{ host: '*' }], access: { allowAnonymous: true } }, undefined],
  [{ access: { allowAnonymous: false } }, false],
])('%j lets in anonymous clients: %s', ([config, anonymous]) => {
  const { access } = prepare(config)
  expect(Object.values(access?.listeners ?? {})[0]?.allowAnonymous).toBe(anonymous)
})

test('each listener has a name of its own', () => {
  const { listeners } = prepare({ listeners: [{ port: 0 }, { port: 0 }, { name: 'x', port: 0 }] })
  expect(listeners.map(({ options }) => options.name)).toEqual(['mqtt:0', 'mqtt:0.2', 'x'])
})
