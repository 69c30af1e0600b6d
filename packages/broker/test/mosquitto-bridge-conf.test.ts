import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BridgeConfig } from '../src/config/bridge-schema.ts'
import { ConfigProblem } from '../src/config/config-problem.ts'
import { readMosquittoFile } from '../src/config/mosquitto/convert.ts'
import type { Converted } from '../src/config/mosquitto/convert.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

/** A file with a listener and the bridge `house` on lines 2 and 3, then the text. */
function read(text: string): Converted {
  const directory = temporaryFolder()
  const file = join(directory, 'm.conf')
  writeFileSync(file, `listener 1883\nconnection house\naddress h\n${text}`)
  return readMosquittoFile(file)
}

function noticesOf(text: string): string[] {
  return read(text).notices.map(notice => notice.replace(/^.*m\.conf/, 'm.conf'))
}

function problemsOf(text: string): string[] {
  try {
    read(text)
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error
    return error.problems.map(problem => problem.replace(/^.*m\.conf/, 'm.conf'))
  }
  return []
}

test('a connection with nothing but address and topic has the defaults of Mosquitto', () => {
  expect(read('topic a/#').config.bridges).toEqual([
    {
      name: 'house',
      addresses: ['mqtt://h:1883'],
      topics: [{ filter: 'a/#', direction: 'out', qos: 0 }],
      protocolVersion: 4,
      clean: false,
      localClean: false,
      sessionExpiryInterval: 0,
      keepAlive: 60,
      reconnectDelay: { least: 5000, greatest: 30_000, stable: 0 },
      startType: 'automatic',
      notifications: true,
      attemptUnsubscribe: true,
      outgoingRetain: true,
      receiveMaximum: 20,
      topicAliasMaximum: 10,
      tryPrivate: true,
    },
  ])
})

test.for<[text: string, bridge: Partial<BridgeConfig>]>([
  ['bridge_protocol_version mqttv31', { protocolVersion: 3 }],
  ['bridge_protocol_version mqttv50', { protocolVersion: 5 }],
  ['clientid c d', { clientId: 'c d' }],
  ['remote_clientid c\nlocal_clientid l', { clientId: 'c', localClientId: 'l' }],
  ['username u\npassword p', { username: 'u', password: 'p' }],
  ['remote_username u\nremote_password p q', { username: 'u', password: 'p q' }],
  ['bridge_protocol_version mqttv50\nremote_password p', { password: 'p' }],
  ['cleansession true', { clean: true, localClean: true }],
  ['cleansession true\nlocal_cleansession false', { clean: true, localClean: false }],
  ['keepalive_interval 10', { keepAlive: 10 }],
  ['restart_timeout 7', { reconnectDelay: { least: 7000, greatest: 7000, stable: 0 } }],
  ['restart_timeout 2 20', { reconnectDelay: { least: 2000, greatest: 20_000, stable: 0 } }],
  ['restart_timeout 2 20 60', { reconnectDelay: { least: 2000, greatest: 20_000, stable: 60_000 } }],
  ['start_type once', { startType: 'once' }],
  ['start_type lazy', { startType: 'automatic' }],
  ['notifications false\nnotifications_local_only true', { notifications: false }],
  ['notifications_local_only true\nnotification_topic state', { notifications: 'local', notificationTopic: 'state' }],
  ['bridge_attempt_unsubscribe false\nbridge_outgoing_retain 0', { attemptUnsubscribe: false, outgoingRetain: false }],
  ['bridge_max_packet_size 1000', { maximumPacketSize: 1000 }],
  ['bridge_receive_maximum 5\nbridge_max_topic_alias 0', { receiveMaximum: 5, topicAliasMaximum: 0 }],
  ['max_inflight_messages 0', { receiveMaximum: 65_535 }],
  ['bridge_session_expiry_interval 60', { sessionExpiryInterval: 60 }],
  ['try_private false\nbridge_bind_address 127.0.0.1', { tryPrivate: false, bindAddress: '127.0.0.1' }],
  [
    'bridge_cafile a b\nbridge_certfile c\nbridge_keyfile d\nbridge_insecure true\nbridge_alpn mqtt\nbridge_tls_version tlsv1.3',
    {
      addresses: ['mqtts://h:1883'],
      tls: { ca: 'a b', cert: 'c', key: 'd', insecure: true, alpn: 'mqtt', minVersion: 'TLSv1.3' },
    },
  ],
  [
    'bridge_identity me\nbridge_psk abc\nbridge_ciphers X\nbridge_ciphers_tls1.3 Y',
    { addresses: ['mqtts://h:1883'], tls: { pskIdentity: 'me', pskKey: '0abc', ciphers: 'Y:X' } },
  ],
  ['bridge_capath d', { addresses: ['mqtts://h:1883'], tls: { caDirectory: 'd' } }],
  ['bridge_tls_use_os_certs true', { addresses: ['mqtts://h:1883'], tls: {} }],
])('%j becomes %j', ([text, bridge]) => {
  const [made] = read(`topic #\n${text}`).config.bridges ?? []
  expect(made).toMatchObject(bridge)
})

test.for<[lines: string, returns: boolean | undefined]>([
  ['address a b', true],
  ['address a b\nround_robin false', true],
  ['address a b\nround_robin true', undefined],
  ['address a', undefined],
])('with %j a bridge goes back to its first address: %j', ([lines, returns]) => {
  const [, other] = read(`topic #\nconnection other\n${lines}\ntopic #`).config.bridges ?? []
  expect(other?.returnToFirst).toBe(returns)
})

test.for<[line: string, addresses: readonly string[]]>([
  ['address a', ['mqtt://a:1883']],
  ['addresses a:1 b c_d.example:65535', ['mqtt://a:1', 'mqtt://b:1883', 'mqtt://c_d.example:65535']],
  ['address ::1:1884 [::1]:5 127.0.0.1', ['mqtt://[::1]:1884', 'mqtt://[::1]:5', 'mqtt://127.0.0.1:1883']],
])('%j leads to %j', ([line, addresses]) => {
  const [, other] = read(`topic #\nconnection other\n${line}\ntopic #`).config.bridges ?? []
  expect(other?.addresses).toEqual(addresses)
})

test.for<[line: string, ...topic: readonly unknown[]]>([
  ['topic a/#', 'a/#', 'out', 0],
  ['topic a IN', 'a', 'in', 0],
  ['topic  a   both  2 ', 'a', 'both', 2],
  ['topic a out 1 l/', 'a', 'out', 1, 'l/'],
  ['topic a out 1 l/ r/', 'a', 'out', 1, 'l/', 'r/'],
  ['topic a out 1 "" r/', 'a', 'out', 1, '', 'r/'],
  ['topic "" out 1 l r', '', 'out', 1, 'l', 'r'],
  ['topic "a b/#" both 1', 'a b/#', 'both', 1],
  ['topic "a b"', 'a b', 'out', 0],
  ['topic # out', '#', 'out', 0],
  ['topic a out # words', 'a', 'out', 0],
  ['topic a out 1 #words', 'a', 'out', 1],
  ['topic a out 1 l/ r/ further words', 'a', 'out', 1, 'l/', 'r/'],
])('%j is the topic %j', ([line, filter, direction, qos, localPrefix, remotePrefix]) => {
  const [made] = read(line).config.bridges ?? []
  expect(made?.topics).toEqual([
    JSON.parse(JSON.stringify({ filter, direction, qos, localPrefix, remotePrefix })) as unknown,
  ])
})

test.for<[text: string, ...problems: string[]]>([
  ['', 'm.conf:2: connection house has no topic'],
  ['topic #\nconnection b\ntopic #', 'm.conf:5: connection b has no address'],
  ['topic #\nconnection house\naddress h\ntopic #', 'm.conf:5: connection house stands there twice'],
  ['topic #\nconnection', 'm.conf:5: connection has no value'],
  ['address i\ntopic #', 'm.conf:4: address stands there twice'],
  ['addresses i\ntopic #', 'm.conf:4: addresses stands there twice'],
  ['topic', 'm.conf:4: topic has no value', 'm.conf:2: connection house has no topic'],
  ['topic a up', "m.conf:4: topic a has the direction 'up', it must be in, out or both"],
  ['topic a # words', "m.conf:4: topic a has the direction '#', it must be in, out or both"],
  ['topic a out 3', "m.conf:4: topic a has the QoS '3', it must be 0, 1 or 2"],
  ['topic a out x', "m.conf:4: topic a has the QoS 'x', it must be 0, 1 or 2"],
  ['topic a out 1 l/+', "m.conf:4: topic has the local prefix 'l/+', it must be without + and #"],
  ['topic a out 1 "" r#', "m.conf:4: topic has the remote prefix 'r#', it must be without + and #"],
  ['topic "" out 1 l', 'm.conf:4: topic "" needs a local and a remote prefix, which name one topic each'],
  ['topic "" out 1 "" r', 'm.conf:4: topic "" needs a local and a remote prefix, which name one topic each'],
  ['topic "a" out', 'm.conf:4: topic "a" has no space in it, so it must stand without quotes'],
  ['topic "a b out', 'm.conf:4: topic "a b out has a quote that is not closed'],
  [
    'topic a/#/b\ntopic b up',
    "m.conf:4: topic makes the filter 'a/#/b': # is only allowed in SUBSCRIBE in the last position",
    "m.conf:5: topic b has the direction 'up', it must be in, out or both",
  ],
  ['topic #\nstart_type manual', "m.conf:5: start_type is 'manual', it must be automatic, lazy, once"],
  [
    'topic #\nbridge_protocol_version mqttv311 x',
    "m.conf:5: bridge_protocol_version is 'mqttv311 x', it must be mqttv31, mqttv311, mqttv50",
  ],
  [
    'topic #\nkeepalive_interval 65536',
    "m.conf:5: keepalive_interval is '65536', it must be a whole number from -2147483648 to 65535",
  ],
  [
    'topic #\nbridge_receive_maximum 0',
    "m.conf:5: bridge_receive_maximum is '0', it must be a whole number from 1 to 65535",
  ],
  [
    'topic #\nbridge_session_expiry_interval 4294967295',
    "m.conf:5: bridge_session_expiry_interval is '4294967295', it must be a whole number from 0 to 2147483647",
  ],
  [
    'topic #\nbridge_max_packet_size 19',
    'm.conf:5: bridge_max_packet_size is 19, x-broker takes 0 and whole numbers from 20',
  ],
  ['topic #\nrestart_timeout 10 5', 'm.conf:5: restart_timeout has the cap 5, it must not be below the base of 10'],
  [
    'topic #\nrestart_timeout x',
    "m.conf:5: restart_timeout is 'x', it must be a whole number from -2147483648 to 2147483647",
  ],
  ['topic #\nbridge_tcp_keepalive 1 2', "m.conf:5: bridge_tcp_keepalive is '1 2', it must be three whole numbers"],
  [
    'topic #\nbridge_tcp_keepalive 1 0 2',
    "m.conf:5: bridge_tcp_keepalive is '0', it must be a whole number from 1 to 2147483647",
  ],
  ['topic #\npassword p', 'm.conf:5: remote_password needs remote_username before MQTT 5.0'],
  ['topic #\nbridge_identity i', 'm.conf:5: bridge_identity needs bridge_psk'],
  ['topic #\nbridge_psk ab', 'm.conf:5: bridge_psk needs bridge_identity'],
  ['topic #\nbridge_identity i\nbridge_psk xy', 'm.conf:6: bridge_psk must be hexadecimal digits'],
  [
    'topic #\nbridge_identity i\nbridge_psk ab\nbridge_cafile f',
    'm.conf:7: bridge_cafile and bridge_psk exclude each other',
  ],
  ['topic #\nbridge_cafile f\nbridge_certfile f', 'm.conf:6: bridge_certfile needs bridge_keyfile'],
  ['topic #\nbridge_require_ocsp true', 'm.conf:5: bridge_require_ocsp is true: Node.js asks for no OCSP'],
  [
    'topic #\nbridge_capath d\nbridge_tls_use_os_certs true',
    'm.conf:6: bridge_tls_use_os_certs and bridge_capath exclude each other here: name one file with all authorities',
  ],
  [
    'topic #\nconnection a/b\naddress h\ntopic #',
    "m.conf:5: connection a/b: option name is 'a/b', it must be a text without +, #, / and spaces",
  ],
  [
    'topic #\nconnection b\naddress h:0\ntopic #',
    "m.conf:6: address is 'h:0', its port must be a whole number from 1 to 65535",
  ],
  [
    'topic #\nconnection b\naddress ::1\ntopic #',
    "m.conf:6: address is '::1', it must be host:port, also with an IPv6 address",
  ],
  [
    'topic #\nconnection b\naddress mqtt://h:1883\ntopic #',
    "m.conf:6: address is 'mqtt://h:1883', it must be host:port, also with an IPv6 address",
  ],
])('%j is refused with its line', ([text, ...problems]) => {
  expect(problemsOf(text)).toEqual(problems)
})

test('what is followed by other means is told with its line', () => {
  const text = `topic a out 0
topic a out 0 l/ r/
start_type lazy
threshold 5
keepalive_interval 1
restart_timeout 0 9000 5
local_username u
bridge_tcp_user_timeout 5
bridge_reload_type lazy
bridge_certfile c
connection b
address h i
topic #
bridge_cafile c
bridge_insecure true`
  expect(noticesOf(text).toSorted()).toEqual(
    [
      'm.conf:5: topic a out 0 l/ r/: an earlier one says the same, so this one is skipped',
      'm.conf:6: start_type: a lazy bridge connects, and stays connected, like an automatic one',
      'm.conf:7: threshold: a lazy bridge connects, and stays connected, like an automatic one',
      'm.conf:8: keepalive_interval is 1: 5 is taken',
      'm.conf:9: restart_timeout: the base is 0 s: 1 s is taken',
      'm.conf:9: restart_timeout: the cap is 9000 s: 7200 s is taken',
      'm.conf:10: local_username: nobody asks a bridge for a name at this broker',
      'm.conf:11: bridge_tcp_user_timeout: keepalive_interval finds out whether the other broker is there',
      'm.conf:12: bridge_reload_type: a bridge that has changed connects again at once, as with immediate',
      'm.conf:13: bridge_certfile: the bridge has no TLS without bridge_cafile, bridge_capath, bridge_tls_use_os_certs, bridge_identity, as with Mosquitto',
      'm.conf:18: bridge_insecure: a certificate for another host is taken, too',
    ].toSorted(),
  )
})
