import { expect, test } from 'vitest'
import { logLevels, parseCommandLine } from '../src/command/command-line.ts'

const mqtt = { protocols: ['mqtt'], port: 1883 }
/** A command that runs a broker, told this by its options. */
const run = (flags: object): object => ({ kind: 'run', task: 'run', flags })
const mesh = {
  directory: undefined,
  listen: undefined,
  peers: [],
  advertise: undefined,
  secretFile: undefined,
  tlsFiles: undefined,
}
const files = {
  cert: 'c.pem',
  key: 'k.pem',
  clientCertificates: 'none',
}
const tlsFiles = ['--tls-cert', 'c.pem', '--tls-key', 'k.pem']

test.for<[string[], object]>([
  [[], run({})],
  [['--port', '2883'], run({ listeners: [{ ...mqtt, port: 2883 }] })],
  [['--port=0'], run({ listeners: [{ ...mqtt, port: 0 }] })],
  [['-p', '65535'], run({ listeners: [{ ...mqtt, port: 65_535 }] })],
  [['-p', '1', '-p', '2'], run({ listeners: [{ ...mqtt, port: 2 }] })],
  [['--host', '127.0.0.1'], run({ listeners: [{ ...mqtt, host: '127.0.0.1' }] })],
  [['-H', '::1'], run({ listeners: [{ ...mqtt, host: '::1' }] })],
  [['--log-level', 'silent'], run({ log: { level: 'silent' } })],
  [['--data', './d'], run({ store: { data: './d' } })],
  [['-d', '/var/lib/b', '--data-durability', 'process'], run({ store: { data: '/var/lib/b', durability: 'process' } })],
  [['--data-durability', 'process'], run({ store: { durability: 'process' } })],
  [['--data-durability', 'interval:500'], run({ store: { durability: 'interval:500' } })],
  [['--memory'], run({ store: { memory: true } })],
  [['-m'], run({ store: { memory: true } })],
  [['--redis', 'redis://h'], run({ store: { redis: 'redis://h' } })],
  [
    ['--redis', 'redis://h', '--redis-durability', 'replicated'],
    run({ store: { redis: 'redis://h', redisDurability: 'replicated' } }),
  ],
  [['-w', '3'], run({ workers: 3 })],
  [['--workers', 'auto'], run({ workers: 'auto' })],
  [['--mesh', './m'], run({ mesh: { ...mesh, directory: './m' } })],
  [
    ['--mesh-listen', ':::7883', '--mesh-peers', 'a:1,dns:b:2', '--mesh-advertise', 'c:3', '--mesh-secret', 'file'],
    run({ mesh: { ...mesh, listen: ':::7883', peers: ['a:1', 'dns:b:2'], advertise: 'c:3', secretFile: 'file' } }),
  ],
  [
    ['--mesh-listen', 'a:1', '--mesh-cert', 'c.pem', '--mesh-key', 'k.pem', '--mesh-ca', 'ca.pem'],
    run({ mesh: { ...mesh, listen: 'a:1', tlsFiles: { cert: 'c.pem', key: 'k.pem', ca: 'ca.pem' } } }),
  ],
  [['-l', 'debug'], run({ log: { level: 'debug' } })],
  [['--metrics-port', '9464'], run({ metrics: { port: 9464, host: undefined } })],
  [['--metrics-host', '*', '--metrics-port', '0'], run({ metrics: { port: 0, host: '*' } })],
  [['--admin-port', '0', '--admin-host', '::1'], run({ admin: { port: 0, host: '::1' } })],
  [['--sys-interval', '0'], run({ statistics: { interval: 0 } })],
  [['-s', '65535'], run({ statistics: { interval: 65_535 } })],
  [['--trust-proxy', 'all'], run({ listeners: [{ ...mqtt, trustProxy: true, trustedProxies: [] }] })],
  [
    ['--trust-proxy', '10.0.0.0/8,::1'],
    run({ listeners: [{ ...mqtt, trustProxy: true, trustedProxies: ['10.0.0.0/8', '::1'] }] }),
  ],
  [tlsFiles, run({ listeners: [{ protocols: ['mqtts'], port: 8883, tls: files }] })],
  [
    [...tlsFiles, '-p', '1', '--tls-ca', 'ca.pem', '--tls-identity-as-username', '--tls-server', 'a.org=a.pem,a.key'],
    run({
      listeners: [
        {
          protocols: ['mqtts'],
          port: 1,
          tls: {
            ...files,
            ca: 'ca.pem',
            clientCertificates: 'required',
            identityAsUsername: true,
            servers: [{ name: 'a.org', cert: 'a.pem', key: 'a.key' }],
          },
        },
      ],
    }),
  ],
  [
    ['--tls-psk', 'keys', '-p', '1'],
    run({ listeners: [{ protocols: ['mqtts'], port: 1, tls: { clientCertificates: 'none', psk: 'keys' } }] }),
  ],
  [['-L', 'mqtt://127.0.0.1:1'], run({ listeners: [{ protocols: ['mqtt'], host: '127.0.0.1', port: 1 }] })],
  [['-L', 'mqtt://:0'], run({ listeners: [{ protocols: ['mqtt'], host: '*', port: 0 }] })],
  [['-L', 'mqtt://[::1]:1'], run({ listeners: [{ protocols: ['mqtt'], host: '::1', port: 1 }] })],
  [['-L', 'ws://localhost'], run({ listeners: [{ protocols: ['ws'], host: 'localhost' }] })],
  [['-L', 'ws://:80/mqtt'], run({ listeners: [{ protocols: ['ws'], host: '*', port: 80, path: '/mqtt' }] })],
  [
    ['-L', 'mqtt+unix:/run/x.sock', '-L', 'mqtt+ws://:1'],
    run({
      listeners: [
        { protocols: ['mqtt'], socketPath: '/run/x.sock' },
        { protocols: ['mqtt', 'ws'], host: '*', port: 1 },
      ],
    }),
  ],
  [
    ['-L', 'mqtt+mqtts+ws+wss://:1', ...tlsFiles],
    run({ listeners: [{ protocols: ['mqtt', 'mqtts', 'ws', 'wss'], host: '*', port: 1, tls: files }] }),
  ],
  [
    [
      '-L',
      'ws://:1?name=web&origins=https://a.org,https://b.org&allow=10.0.0.0/8&deny=::1&max-connections=9&max-rate=8&max-payload=1000&connect-timeout=7&packets-per-frame=many&strict-subprotocol=false&system-topics=false',
    ],
    run({
      listeners: [
        {
          protocols: ['ws'],
          host: '*',
          port: 1,
          name: 'web',
          origins: ['https://a.org', 'https://b.org'],
          allow: ['10.0.0.0/8'],
          deny: ['::1'],
          maximumConnections: 9,
          maximumConnectionRate: 8,
          maximumPayload: 1000,
          connectTimeout: 7,
          packetsPerFrame: 'many',
          strictSubprotocol: false,
          systemTopics: false,
        },
      ],
    }),
  ],
  [['--help'], { kind: 'help' }],
  [['-h', '--port', 'none'], { kind: 'help' }],
  [['--version'], { kind: 'version' }],
  [['-v'], run({ log: { level: 'debug' } })],
  [['-q', '-v'], run({ log: { level: 'silent' } })],
  [['--allow-anonymous'], run({ access: { allowAnonymous: true } })],
  [['--password-file', 'users', '--acl-file', 'acl'], run({ access: { passwordFile: 'users', aclFile: 'acl' } })],
  [['-c', 'b.yaml'], { ...run({}), file: 'b.yaml' }],
  [['--config=b.conf', '--test-config'], { ...run({}), task: 'check', file: 'b.conf' }],
  [['-c', 'b.conf', '--check-config'], { ...run({}), task: 'check', file: 'b.conf' }],
  [['--print-config'], { ...run({}), task: 'print' }],
  [['--print-config', '--show-secrets'], { ...run({}), task: 'printSecrets' }],
])('understands %j', ([parameters, command]) => {
  expect(parseCommandLine(parameters)).toEqual(command)
})

test.each(logLevels)('takes the log level %s', logLevel => {
  expect(parseCommandLine(['--log-level', logLevel])).toEqual(run({ log: { level: logLevel } }))
})

test.for<[string[], string]>([
  [['--port', '65536'], "--port is '65536', it must be a whole number from 0 to 65535"],
  [['--port', 'mqtt'], "--port is 'mqtt', it must be a whole number from 0 to 65535"],
  [['--port', '18.83'], "--port is '18.83', it must be a whole number from 0 to 65535"],
  [['--port', '1e3'], "--port is '1e3', it must be a whole number from 0 to 65535"],
  [['--port', ' 1883'], "--port is ' 1883', it must be a whole number from 0 to 65535"],
  [['--port='], "--port is '', it must be a whole number from 0 to 65535"],
  [['--port=-1'], "--port is '-1', it must be a whole number from 0 to 65535"],
  [['--sys-interval', '65536'], "--sys-interval is '65536', it must be a whole number from 0 to 65535"],
  [['--sys-interval', '-5'], "--sys-interval is '-5', it must be a whole number from 0 to 65535"],
  [['-s', '-5'], "--sys-interval is '-5', it must be a whole number from 0 to 65535"],
  [['--port', '-1'], "--port is '-1', it must be a whole number from 0 to 65535"],
  [['-p', '-.5'], "--port is '-.5', it must be a whole number from 0 to 65535"],
  [['--sys-interval', 'often'], "--sys-interval is 'often', it must be a whole number from 0 to 65535"],
  [['--host='], "--host is '', it must be an address or a host name"],
  [['--trust-proxy='], "--trust-proxy is '', it must be addresses, networks, or 'all'"],
  [['--tls-cert', 'c.pem'], '--tls-cert and --tls-key must be given together'],
  [['--tls-ca', 'ca.pem'], '--tls-… needs --tls-cert and --tls-key, or --tls-psk'],
  [[...tlsFiles, '--tls-client-cert', 'maybe'], "--tls-client-cert is 'maybe', it must be none, optional or required"],
  [[...tlsFiles, '--tls-server', 'a.org'], "--tls-server is 'a.org', it must be NAME=CERT,KEY"],
  [[...tlsFiles, '-L', 'mqtt://:1'], '--tls-… is given, but --listen has neither mqtts nor wss'],
  [['-L', 'wss://:1'], '--listen with mqtts or wss needs --tls-cert and --tls-key, or --tls-psk'],
  [['-L', 'mqtt://:1', '-p', '1'], '--listen takes the place of --port and --host'],
  [['-L', 'http://:1'], "--listen 'http://:1' begins with 'http', it must begin with one or more of mqtt+mqtts+ws+wss"],
  [['-L', '1883'], "--listen '1883' begins with '1883', it must begin with one or more of mqtt+mqtts+ws+wss"],
  [['-L', 'mqtt://:99999'], "--listen 'mqtt://:99999' is no URL such as mqtt://0.0.0.0:1883"],
  [['-L', 'mqtt://:1/path'], "--listen 'mqtt://:1/path' has a path, which is for ws and wss"],
  [['-L', 'mqtt://me:secret@a:1'], "--listen 'mqtt://me:secret@a:1' has a user or a fragment, which mean nothing here"],
  [['-L', 'mqtt+unix://host/x'], "--listen 'mqtt+unix://host/x' is no file such as mqtt+unix:/run/mqtt.sock"],
  [
    ['-L', 'mqtt://:1?max-rate=fast'],
    "--listen 'mqtt://:1?max-rate=fast' has max-rate 'fast', it must be a whole number",
  ],
  [
    ['-L', 'ws://:1?packets-per-frame=2'],
    "--listen 'ws://:1?packets-per-frame=2' has packets-per-frame '2', it must be one or many",
  ],
  [
    ['-L', 'ws://:1?strict-subprotocol=no'],
    "--listen 'ws://:1?strict-subprotocol=no' has strict-subprotocol 'no', it must be true or false",
  ],
  [
    ['-L', 'mqtt://:1?color=red'],
    "--listen 'mqtt://:1?color=red' has the parameter 'color'; known: name, max-connections, max-rate, max-payload, packets-per-frame, strict-subprotocol, connect-timeout, system-topics, allow, deny, origins",
  ],
  [['--data', ''], "--data is '', it must be the path of a directory"],
  [['--data', 'd', '--redis', 'redis://h'], '--data and --redis are two places for one store'],
  [['--memory', '-d', 'd'], '--data and --memory are two places for one store'],
  [['--redis', 'redis://h', '--memory'], '--memory and --redis are two places for one store'],
  [['--memory', '--data-durability', 'disk'], '--data-durability needs a directory, but --memory is given'],
  [['--redis', 'redis://h', '--data-durability', 'disk'], '--data-durability needs a directory, but --redis is given'],
  [
    ['--data', 'd', '--data-durability', 'never'],
    "--data-durability is 'never', it must be one of disk, process, interval:MS (1 to 60000 ms)",
  ],
  [
    ['--data-durability', 'interval:0'],
    "--data-durability is 'interval:0', it must be one of disk, process, interval:MS (1 to 60000 ms)",
  ],
  [['--redis-durability', 'replicated'], '--redis-durability needs --redis'],
  [
    ['--redis', 'redis://h', '--redis-durability', 'all'],
    "--redis-durability is 'all', it must be one of redis, replicated",
  ],
  [['--workers', '0'], "--workers is '0', it must be a whole number from 1 to 256, or auto"],
  [['--workers', '257'], "--workers is '257', it must be a whole number from 1 to 256, or auto"],
  [['--workers', 'many'], "--workers is 'many', it must be a whole number from 1 to 256, or auto"],
  [['--mesh', ''], "--mesh is '', it must be the path of a directory"],
  [['--mesh', 'm', '--mesh-peers', 'a:1'], '--mesh connects brokers of this machine, --mesh-peers those of several'],
  [['--mesh-peers', 'a:1'], '--mesh-peers needs --mesh-listen'],
  [['--mesh-secret', 'file'], '--mesh-secret needs --mesh-listen'],
  [['--mesh-listen', 'a:1', '--mesh-cert', 'c.pem'], '--mesh-cert, --mesh-key and --mesh-ca must be given together'],
  [['--log-level', 'loud'], `--log-level is 'loud', it must be one of ${logLevels.join(', ')}`],
  [['--config='], "--config is '', it must be the path of a file"],
  [['--test-config'], '--check-config needs --config'],
  [['--acl-file='], '--password-file and --acl-file must name a file'],
  [['--log-level', 'INFO'], `--log-level is 'INFO', it must be one of ${logLevels.join(', ')}`],
])('refuses %j', ([parameters, message]) => {
  expect(parseCommandLine(parameters)).toEqual({ kind: 'refuse', message })
})

// The sentences are Node's and differ between its versions.
test.for<[string[], string]>([
  [['--port'], '--port'],
  [['--port', '-H'], '--port'],
  [['--prot', '1883'], '--prot'],
  [['-x'], '-x'],
  [['1883'], '1883'],
  [['--help=yes'], '--help'],
])('refuses %j in one line that names %s', ([parameters, named]) => {
  const command = parseCommandLine(parameters)
  expect(command).toEqual({ kind: 'refuse', message: expect.stringContaining(named) as unknown })
  expect(JSON.stringify(command)).not.toContain(String.raw`\n`)
})
