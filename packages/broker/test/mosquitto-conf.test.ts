import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigProblem } from '../src/config/config-problem.ts'
import { loadConfig } from '../src/config/load-config.ts'
import { readMosquittoFile } from '../src/config/mosquitto/convert.ts'
import type { Converted } from '../src/config/mosquitto/convert.ts'
import { directives } from '../src/config/mosquitto/directives.ts'
import type { Config, ListenerConfig } from '../src/config/schema.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

/** `DIR` in the text is the folder that the file is in. */
function read(text: string, directory = temporaryFolder()): Converted {
  const file = join(directory, 'm.conf')
  writeFileSync(file, text.replaceAll('DIR', directory))
  return readMosquittoFile(file)
}

/** All that is wrong, without the name of the folder. */
function problemsOf(text: string): string[] {
  const directory = temporaryFolder()
  try {
    read(text, directory)
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error
    return error.problems.map(problem => problem.replaceAll(`${directory}/`, ''))
  }
  return []
}

const here: ListenerConfig = { port: 1883, host: '*', protocols: ['mqtt'], generatedClientIdPrefix: 'auto-' }

test.for<[text: string, config: Config]>([
  ['', { access: { allowAnonymous: true }, log: { destination: 'stderr' } }],
  ['allow_anonymous true', { access: { allowAnonymous: true } }],
  ['allow_anonymous false', { access: { allowAnonymous: false } }],
  ['per_listener_settings true', { access: { allowAnonymous: true } }],
  ['listener 1884', { listeners: [{ ...here, port: 1884 }], access: { allowAnonymous: false } }],
  ['listener 1884\nallow_anonymous true', { access: { allowAnonymous: true } }],
  ['listener 0x75b 127.0.0.1', { listeners: [{ ...here, host: '127.0.0.1' }] }],
  ['listener 0 /run/m.sock', { listeners: [{ socketPath: '/run/m.sock', protocols: ['mqtt'] }] }],
  ['port 1885', { listeners: [{ ...here, port: 1885 }] }],
  ['bind_address ::1', { listeners: [{ ...here, host: '::1' }] }],
  ['bind_interface lo\nsocket_domain ipv4\nport 1883', { listeners: [{ ...here, host: ['127.0.0.1'] }] }],
  ['max_connections 5\nlistener 1884', { listeners: [{ ...here, port: 1884 }] }],
  ['max_connections 5\nport 1883', { listeners: [{ ...here, maximumConnections: 5 }] }],
  ['listener 1\nmax_connections -1', { listeners: [{ ...here, port: 1 }] }],
  [
    'listener 1\nprotocol websockets\nwebsockets_origin a\nwebsockets_origin https://b.org\nwebsockets_origin https://c.org/d',
    {
      listeners: [
        {
          ...here,
          port: 1,
          protocols: ['ws'],
          origins: ['a', 'https://b.org', 'https://c.org/d', 'https://c.org'],
          strictOrigins: false,
        },
      ],
    },
  ],
  [
    'listener 1\nenable_proxy_protocol 2',
    { listeners: [{ ...here, port: 1, trustProxy: true, trustedProxies: [], proxyRequires: 'header' }] },
  ],
  [
    'listener 1\nenable_proxy_protocol 2\nproxy_protocol_v2_require_tls true',
    { listeners: [{ ...here, port: 1, proxyRequires: 'tls' }] },
  ],
  [
    'listener 1\nenable_proxy_protocol 2\nrequire_certificate true\nuse_identity_as_username true',
    { listeners: [{ ...here, port: 1, proxyRequires: 'certificate', proxyIdentityAsUsername: true }] },
  ],
  ['listener 1 \r\nsocket_domain ipv6\r\n', { listeners: [{ ...here, port: 1, host: '::' }] }],
  [
    'password_file DIR/users\nacl_file  DIR/acl  \nlistener 1',
    { access: { passwordFile: 'DIR/users', aclFile: 'DIR/acl', allowAnonymous: false } },
  ],
  [
    'listener 1\nlistener_allow_anonymous true\nlistener 2',
    {
      listeners: [
        { ...here, port: 1, access: { allowAnonymous: true } },
        { ...here, port: 2 },
      ],
      access: { allowAnonymous: false },
    },
  ],
  [
    'per_listener_settings true\nlistener 1\npassword_file a\nallow_anonymous true\nlistener 2\nacl_file b',
    {
      listeners: [
        { ...here, port: 1, access: { passwordFile: 'a', allowAnonymous: true } },
        { ...here, port: 2, access: { aclFile: 'b', allowAnonymous: false } },
      ],
      access: { allowAnonymous: false },
    },
  ],
  [
    'plugin /usr/lib/mosquitto_password_file.so\nplugin_opt_password_file a\nplugin x/mosquitto_acl_file.so\nplugin_opt_acl_file b',
    { access: { passwordFile: 'a', aclFile: 'b', allowAnonymous: true } },
  ],
  [
    'per_listener_settings true\nglobal_plugin mosquitto_password_file.so\nplugin_opt_password_file a\nlistener 1\nacl_file b\nlistener 2\nplugin mosquitto_acl_file.so\nplugin_opt_acl_file c',
    {
      listeners: [
        { ...here, port: 1, access: { passwordFile: 'a', aclFile: 'b', allowAnonymous: false } },
        { ...here, port: 2, access: { passwordFile: 'a', aclFile: 'c', allowAnonymous: false } },
      ],
    },
  ],
  [
    'allow_anonymous true\nplugin_load one mosquitto_acl_file.so\nplugin_opt_acl_file a\nplugin_load two x/mosquitto_dynamic_security.so\nlistener 1\nplugin_use two\nplugin_opt_config_file d\nlistener 2\nplugin_use one\nlistener 3\nplugin_use one',
    {
      listeners: [
        { ...here, port: 1, access: { dynamicSecurityFile: 'd', aclFile: undefined, allowAnonymous: true } },
        { ...here, port: 2, access: { aclFile: 'a', dynamicSecurityFile: undefined, allowAnonymous: true } },
        { ...here, port: 3, access: { aclFile: 'a', allowAnonymous: true } },
      ],
      access: { aclFile: undefined, allowAnonymous: true },
    },
  ],
  ['memory_limit 5000', { limits: { maximumTotalQueuedBytes: 5000 } }],
  [
    'max_inflight_messages 0\nmax_queued_messages 0\nmax_queued_bytes 5',
    { limits: { maximumInflight: 65_535, maximumQueuedMessages: Number.MAX_SAFE_INTEGER, maximumQueuedBytes: 5 } },
  ],
  [
    'max_keepalive 60\nretain_available false\nmax_packet_size 1000',
    { limits: { keepaliveLimit: 60, retainAvailable: false, maximumPacketSize: 1000, maximumConnectPacketSize: 1000 } },
  ],
  ['max_packet_size 20', { limits: { maximumPacketSize: 20, maximumConnectPacketSize: 128, maxTopicLevels: 201 } }],
  ['', { limits: { maximumPacketSize: 2_000_000, maximumConnectPacketSize: 100_000 } }],
  ['queue_qos0_messages true', { limits: { queueQoS0Messages: true } }],
  ['persistent_client_expiration 2h', { limits: { maximumSessionExpiryInterval: 7200 } }],
  ['persistent_client_expiration 3m', { limits: { maximumSessionExpiryInterval: 7_776_000 } }],
  [
    'listener 1\nmax_qos 1\nmax_topic_alias 5\nlistener 2\nmaximum_qos 0\nmax_topic_alias_broker 0\nlistener 3',
    {
      listeners: [
        { ...here, port: 1, maximumQoS: 1, topicAliasMaximum: 5 },
        { ...here, port: 2, maximumQoS: 0, maximumOutgoingTopicAliases: 0 },
        { ...here, port: 3 },
      ],
      limits: { topicAliasMaximum: 10, maximumOutgoingTopicAliases: 10 },
    },
  ],
  [
    'listener 1\nmount_point m/\nuse_username_as_clientid true\naccept_protocol_versions  , 5 ,\t 4 x\nlistener 2',
    {
      listeners: [
        { ...here, port: 1, mountPoint: 'm/', usernameAsClientId: true, acceptedVersions: [4, 5] },
        { ...here, port: 2 },
      ],
    },
  ],
  [
    'listener 1\nclientid_prefixes b-\nclientid_prefixes dev-\nlistener 2',
    {
      listeners: [
        { ...here, port: 1, clientIdPrefix: 'dev-' },
        { ...here, port: 2, clientIdPrefix: 'dev-' },
      ],
    },
  ],
  [
    'allow_zero_length_clientid false\nauto_id_prefix a-\nlistener 1\nlistener 2\nlistener_auto_id_prefix b-',
    {
      listeners: [
        { ...here, port: 1, allowEmptyClientId: false, generatedClientIdPrefix: 'a-' },
        { ...here, port: 2, allowEmptyClientId: false, generatedClientIdPrefix: 'b-' },
      ],
    },
  ],
  [
    'per_listener_settings true\nlistener 1\nallow_zero_length_clientid false\nlistener 2\nauto_id_prefix c-',
    {
      listeners: [
        { ...here, port: 1, allowEmptyClientId: false },
        { ...here, port: 2, generatedClientIdPrefix: 'c-' },
      ],
    },
  ],
  [
    'max_inflight_bytes 5\nmessage_size_limit 6\nglobal_max_clients 7\nglobal_max_connections 8\nupgrade_outgoing_qos true',
    {
      limits: {
        maximumInflightBytes: 5,
        maximumPayloadSize: 6,
        maximumSessions: 7,
        maximumConnections: 8,
        upgradeOutgoingQoS: true,
        reasonStrings: false,
      },
    },
  ],
  ['persistence true\npersistence_location /var/lib/m/', { store: { data: '/var/lib/m/x-broker' } }],
  ['persistence true\npersistence_location /m\npersistence_file mosquitto.db', { store: { data: '/m/x-broker' } }],
  ['persistence true\npersistence_location /m\npersistence_file second.db', { store: { data: '/m/x-broker-second' } }],
  [
    'plugin /usr/lib/mosquitto_persist_sqlite.so\nplugin_opt_db_file /var/lib/m/m.sqlite3\nplugin_opt_sync full',
    { store: { data: '/var/lib/m/x-broker-m' } },
  ],
  [
    'plugin mosquitto_persist_sqlite.so\nplugin_opt_db_file /var/lib/m/mosquitto.sqlite3',
    { store: { data: '/var/lib/m/x-broker' } },
  ],
  [
    'persistence_location /srv/m\nglobal_plugin mosquitto_persist_sqlite.so\nplugin_opt_flush_period 5',
    { store: { data: '/srv/m/x-broker' } },
  ],
  ['persistence true\npersistence false', { store: { memory: true } }],
  [
    'log_dest file /var/log/m.log\nlog_type error\nlog_type warning',
    { log: { file: '/var/log/m.log', level: 'warn' } },
  ],
  ['log_dest stdout\nlog_type all', { log: { destination: 'stdout', level: 'debug' } }],
  [
    'listener 1 127.0.0.1\nprotocol http_api\nhttp_dir /www\ncertfile c\nkeyfile k\nlistener 2\nprotocol mqtt',
    {
      httpApi: [{ port: 1, host: '127.0.0.1', directory: '/www', tls: { cert: 'c', key: 'k' } }],
      listeners: [{ port: 2, protocols: ['mqtt'] }],
    },
  ],
  ['log_dest topic', { log: { destination: 'none', topics: ['error', 'warning', 'information'] } }],
  [
    'log_dest topic\nlog_dest stdout\nlog_type notice\nlog_type subscribe',
    { log: { destination: 'stdout', topics: ['information', 'subscribe'] } },
  ],
  [
    'log_dest file /l\nlog_dest topic\nlog_type all',
    {
      log: {
        file: '/l',
        topics: ['error', 'warning', 'information', 'subscribe', 'unsubscribe'],
      },
    },
  ],
  ['log_dest topic\nlog_dest none\nlog_dest stderr', { log: { destination: 'stderr', topics: undefined } }],
  ['log_dest none\nlog_type all\nlog_type none', { log: { destination: 'none', level: 'silent' } }],
  [
    'sys_interval 0\npid_file DIR/pid\nuser nobody',
    { statistics: { interval: 0 }, pidFile: 'DIR/pid', user: 'nobody' },
  ],
  ['allow_anonymous true # words behind a word count for nothing', { access: { allowAnonymous: true } }],
])('%j becomes %j', ([text, config]) => {
  const directory = temporaryFolder()
  const placed: unknown = JSON.parse(JSON.stringify(config).replaceAll('DIR', directory))
  expect(read(text, directory).config).toMatchObject(placed as object)
})

test('a listener with TLS takes its files and what it asks of clients', () => {
  const text = `listener 8883
certfile c
keyfile k
cafile a
crlfile r
capath d
require_certificate true
use_identity_as_username true
tls_version tlsv1.3
ciphers X
listener 8884
psk_hint h
psk_file p
protocol websockets`
  expect(read(text).config.listeners).toEqual([
    {
      ...here,
      port: 8883,
      protocols: ['mqtts'],
      tls: {
        cert: 'c',
        key: 'k',
        ca: 'a',
        caDirectory: 'd',
        crl: 'r',
        clientCertificates: 'required',
        identityAsUsername: true,
        minVersion: 'TLSv1.3',
        ciphers: 'X',
      },
    },
    {
      ...here,
      port: 8884,
      protocols: ['wss'],
      tls: { psk: 'p', pskHint: 'h', clientCertificates: 'none', minVersion: 'TLSv1.2' },
    },
  ])
})

test('files of include_dir are read in Mosquittos order, each as if nothing stood before it', () => {
  const directory = temporaryFolder()
  mkdirSync(join(directory, 'd'))
  writeFileSync(join(directory, 'd', 'B.conf'), 'max_keepalive 2\nlistener 2\n')
  writeFileSync(join(directory, 'd', 'a.conf'), 'max_keepalive 1\nlistener 1\nmax_connections 7\n')
  writeFileSync(join(directory, 'd', 'c.conf~'), 'nonsense\n')
  const { config } = read('listener 9\ninclude_dir DIR/d\nmax_connections 3\n', directory)
  expect(config.listeners).toEqual([
    { ...here, port: 9, maximumConnections: 3 },
    { ...here, port: 1, maximumConnections: 7 },
    { ...here, port: 2 },
  ])
  expect(config.limits?.keepaliveLimit).toBe(2)
  writeFileSync(join(directory, 'd', 'z.conf'), '\n\nmax_connections 7\nmount_point x\ninclude_dir .\n')
  expect(() => read('include_dir DIR/d', directory)).toThrow(
    new ConfigProblem([
      `${directory}/d/z.conf:4: mount_point needs a listener before it`,
      `${directory}/d/z.conf:5: include_dir may stand in the main file alone`,
    ]),
  )
})

test.for<[text: string, ...problems: string[]]>([
  ['# fine\n\n  \nportt 1', 'm.conf:4: portt is no directive of Mosquitto'],
  [' # text', 'm.conf:1: # is no directive of Mosquitto'],
  ['port\t1883', 'm.conf:1: port\t1883 is no directive of Mosquitto'],
  ['Port 1883', 'm.conf:1: Port is no directive of Mosquitto'],
  ['__proto__ 1', 'm.conf:1: __proto__ is no directive of Mosquitto'],
  ['port', 'm.conf:1: port has no value'],
  ['pid_file  ', 'm.conf:1: pid_file has no value'],
  ['port 65536', "m.conf:1: port is '65536', it must be a whole number from 1 to 65535"],
  ['port 18x', "m.conf:1: port is '18x', it must be a whole number from 1 to 65535"],
  ['port 08', "m.conf:1: port is '08', it must be a whole number from 1 to 65535"],
  ['allow_anonymous yes', "m.conf:1: allow_anonymous is 'yes', it must be true or false"],
  [
    'log_type loud',
    "m.conf:1: log_type is 'loud', it must be none, error, warning, notice, information, debug, subscribe, unsubscribe, websockets, internal, all",
  ],
  ['listener 0', 'm.conf:1: listener 0 needs the path of a Unix socket'],
  ['listener x', "m.conf:1: listener is 'x', it must be a whole number from 0 to 65535"],
  ['pid_file a\npid_file b', 'm.conf:2: pid_file stands there twice'],
  ['cafile a', 'm.conf:1: cafile needs a listener before it'],
  ['listener 1\ncertfile a', 'm.conf:1: certfile and keyfile must be given together'],
  ['listener 1\ncafile a', 'm.conf:1: cafile needs certfile and keyfile'],
  ['listener 1\ncapath a', 'm.conf:1: capath needs certfile and keyfile'],
  ['plugin_opt_abc x', 'm.conf:1: plugin_opt_abc needs a plugin before it'],
  ['plugin_opt_a x', 'm.conf:1: plugin_opt_a is no directive of Mosquitto'],
  [
    'plugin x.so',
    'm.conf:1: plugin x.so: plugins of Mosquitto are machine code for Mosquitto alone; known are mosquitto_password_file, mosquitto_acl_file, mosquitto_dynamic_security and mosquitto_persist_sqlite; tokens and questions by HTTP are access.tokens and access.http of a configuration in YAML',
  ],
  [
    'plugin mosquitto_acl_file.so\nplugin_opt_file x',
    'm.conf:1: plugin mosquitto_acl_file.so needs plugin_opt_acl_file, and knows no other option',
  ],
  [
    'plugin mosquitto_persist_sqlite.so',
    'm.conf:1: plugin mosquitto_persist_sqlite.so needs plugin_opt_db_file, and knows beside it plugin_opt_sync, plugin_opt_flush_period, plugin_opt_page_size',
  ],
  ['plugin_load name', "m.conf:1: plugin_load is 'name', it must be a name and the path of a plugin"],
  [
    'plugin_load n mosquitto_acl_file.so\nplugin_opt_acl_file a\nplugin_load n b.so',
    'm.conf:3: plugin_load n stands there twice',
  ],
  ['listener 1\nplugin_use n', "m.conf:2: plugin_use is 'n', which no plugin_load before it has named"],
  [
    'plugin_load n mosquitto_acl_file.so\nplugin_opt_acl_file a\nplugin_use n',
    'm.conf:3: plugin_use needs a listener before it',
  ],
  [
    'global_plugin x.so\nlistener 1\ncertfile a',
    'm.conf:1: plugin x.so: plugins of Mosquitto are machine code for Mosquitto alone; known are mosquitto_password_file, mosquitto_acl_file, mosquitto_dynamic_security and mosquitto_persist_sqlite; tokens and questions by HTTP are access.tokens and access.http of a configuration in YAML',
    'm.conf:2: certfile and keyfile must be given together',
  ],
  ['per_listener_settings true\nplugin a.so', 'm.conf:2: plugin needs a listener before it'],
  [
    'plugin mosquitto_acl_file.so\nplugin_opt_acl_file a\nplugin mosquitto_acl_file.so\nplugin_opt_acl_file b',
    'm.conf:3: plugin mosquitto_acl_file.so: mosquitto_acl_file.so holds for the same clients, and they can have one of the kind',
  ],
  ['acl_file a\nper_listener_settings true', 'm.conf:2: per_listener_settings must stand before acl_file'],
  [
    'per_listener_settings true\nper_listener_settings false',
    'm.conf:2: per_listener_settings is false, but it was true before',
  ],
  ['per_listener_settings true\nacl_file a', 'm.conf:2: acl_file needs a listener before it'],
  ['address h', 'm.conf:1: address needs a connection before it'],
  [
    'listener 1\ntls_engine e',
    'm.conf:2: tls_engine e: Node.js knows no OpenSSL engines; keep the key in a file, or TLS in a proxy in front',
  ],
  ['memory_limit -1', "m.conf:1: memory_limit is '-1', it must be a whole number from 0 to 2147483647"],
  [
    'log_dest syslog',
    'm.conf:1: log_dest syslog: this is not supported; log to stdout, which systemd and containers keep, or to a file',
  ],
  ['log_dest sysloge', 'm.conf:1: log_dest sysloge: it must be none, stdout, stderr, topic or file PATH'],
  [
    'persistent_client_expiration 5',
    "m.conf:1: persistent_client_expiration is '5', it must be a whole number with s, h, d, w, m or y behind it",
  ],
  ['listener 1\nmount_point a/+', "m.conf:2: mount_point is 'a/+', it must have neither + nor #"],
  ['listener 1\naccept_protocol_versions 6', "m.conf:2: accept_protocol_versions is '6', it must have some of 3, 4, 5"],
  [`auto_id_prefix ${'x'.repeat(51)}`, 'm.conf:1: a prefix of identifiers has 51 bytes, the most is 50'],
  ['packet_buffer_size 0', "m.conf:1: packet_buffer_size is '0', it must be a whole number from 1 to 65535"],
  [
    'listener 1\nenable_proxy_protocol 2\nuse_subject_as_username true',
    'm.conf:1: enable_proxy_protocol 2 and use_subject_as_username exclude each other',
  ],
  [
    'listener 1\nenable_proxy_protocol 2\ncertfile c\nkeyfile k',
    'm.conf:1: enable_proxy_protocol 2 and certfile exclude each other',
  ],
  [
    'include_dir /nowhere',
    "m.conf:1: include_dir is '/nowhere', which can't be read: ENOENT: no such file or directory, scandir '/nowhere'",
  ],
  [
    'portt 1\nport 0\nlog_dest syslog',
    'm.conf:1: portt is no directive of Mosquitto',
    "m.conf:2: port is '0', it must be a whole number from 1 to 65535",
    'm.conf:3: log_dest syslog: this is not supported; log to stdout, which systemd and containers keep, or to a file',
  ],
])('%j is refused with its line', ([text, ...problems]) => {
  expect(problemsOf(text)).toEqual(problems)
})

test('what a file without listeners says of clients holds for those that the command line names', () => {
  const directory = temporaryFolder()
  const file = join(directory, 'm.conf')
  writeFileSync(file, 'allow_zero_length_clientid false\n')
  const flags = { listeners: [{ protocols: ['mqtt' as const], port: 1999 }] }
  const rules = { allowEmptyClientId: false, generatedClientIdPrefix: 'auto-' }
  const listenersWith = (given: Config): unknown => loadConfig({ file, environment: {}, flags: given }).config.listeners
  expect(listenersWith(flags)).toEqual([{ protocols: ['mqtt'], port: 1999, ...rules }])
  expect(listenersWith({})).toEqual([{ protocols: ['mqtt'], port: 1883, ...rules }])
})

test('what means nothing here, or is followed by other means, is told with its line', () => {
  const text = 'retry_interval 5\nset_tcp_nodelay true\nset_tcp_nodelay false\nautosave_interval 60'
  expect(read(text).notices.map(notice => notice.replace(/^.*m\.conf/, 'm.conf'))).toEqual([
    'm.conf:1: retry_interval: means nothing any more',
    'm.conf:3: set_tcp_nodelay: TCP_NODELAY is always set',
    'm.conf:4: autosave_interval: what is stored is on the disk when it is acknowledged',
  ])
})

test('what is kept in another place than by Mosquitto, or limits something else, is told with its line', () => {
  const text =
    'plugin a/mosquitto_persist_sqlite.so\nplugin_opt_db_file /d/mosquitto.sqlite3\nmemory_limit 0\nmemory_limit 70000000'
  expect(
    read(text)
      .notices.map(notice => notice.replace(/^.*m\.conf/, 'm.conf'))
      .toSorted(),
  ).toEqual([
    "m.conf:1: plugin a/mosquitto_persist_sqlite.so: sessions and messages are kept in the directory /d/x-broker, each on the disk when it is acknowledged; Mosquitto's data base is not read",
    'm.conf:4: memory_limit: it limits the bytes that wait for sessions (limits.maximumTotalQueuedBytes); limit the process by systemd (MemoryMax=) or its container',
  ])
})

test('a value that is what this broker does anyway is no reason to refuse', () => {
  const harmless = Object.entries(directives).filter(
    ([, { refused, value }]) => value.kind === 'flag' && refused !== undefined,
  )
  const sections: Readonly<Record<string, string>> = {
    listener: 'listener 1\n',
    bridge: 'connection b\naddress h\ntopic #\n',
  }
  expect(harmless).not.toEqual([])
  for (const [name, { scope, refused }] of harmless) {
    const value = [true, false].find(one => refused?.(one) === undefined)
    expect(problemsOf(`${sections[scope] ?? ''}${name} ${value}`)).toEqual([])
  }
})
