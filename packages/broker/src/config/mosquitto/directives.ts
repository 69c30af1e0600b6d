import type { Value, ValueKind } from './values.ts'

/** What becomes of a directive. */
export interface Directive {
  readonly scope: 'global' | 'listener' | 'bridge' | 'plugin'
  readonly value: ValueKind
  /** Belongs to the listener it stands under when `per_listener_settings` is true. */
  readonly perListener?: true
  /** May not stand before the first `listener`. */
  readonly needsListener?: true
  /** A second one counts in place of the first; without this, a second text is an error. */
  readonly lastWins?: true
  /** Another name of this directive. */
  readonly alias?: string
  /** Why the value can't be followed; undefined: it can. */
  readonly refused?: (value: Value) => string | undefined
  /** What the user is told, where the value is followed by other means or means nothing here. */
  readonly notice?: (value: Value) => string | undefined
}

const flag: ValueKind = { kind: 'flag' }
const text: ValueKind = { kind: 'text' }
const whole = (least: number, greatest: number): ValueKind => ({ kind: 'whole', least, greatest })
const word = (...words: readonly string[]): ValueKind => ({ kind: 'word', words })
const int = whole(-2_147_483_648, 2_147_483_647)
const port = whole(1, 65_535)

const always = (sentence: string) => (): string => sentence
/** Refused unless it has this value, which is what this broker does anyway. */
const unless =
  (value: Value, sentence: string) =>
  (given: Value): string | undefined =>
    given === value ? undefined : sentence

const deprecated = always('means nothing any more')
const lazy = always('a lazy bridge connects, and stays connected, like an automatic one')
const engine = always('Node.js knows no OpenSSL engines; keep the key in a file, or TLS in a proxy in front')

const global = (value: ValueKind, more: Partial<Directive> = {}): Directive => ({ scope: 'global', value, ...more })
const own = (value: ValueKind, more: Partial<Directive> = {}): Directive => ({ scope: 'listener', value, ...more })
const ofBridge = (value: ValueKind, more: Partial<Directive> = {}): Directive => ({ scope: 'bridge', value, ...more })

/** Every directive of Mosquitto 2.1, by name. */
export const directives: Readonly<Record<string, Directive>> = {
  accept_protocol_versions: own(text, { needsListener: true, lastWins: true }),
  acl_file: global(text, { perListener: true, lastWins: true }),
  address: ofBridge(text),
  addresses: ofBridge(text, { alias: 'address' }),
  allow_anonymous: global(flag, { perListener: true }),
  allow_duplicate_messages: global(flag, {
    notice: unless(false, 'a client gets one copy of a message, however many of its subscriptions match'),
  }),
  allow_zero_length_clientid: global(flag, { perListener: true }),
  auth_plugin: { scope: 'global', value: text, perListener: true, lastWins: true, alias: 'plugin' },
  auth_plugin_deny_special_chars: {
    scope: 'plugin',
    value: flag,
    notice: always('names with +, # or / never widen a rule'),
  },
  auto_id_prefix: global(text, { perListener: true }),
  autosave_interval: global(int, { notice: always('what is stored is on the disk when it is acknowledged') }),
  autosave_on_changes: global(flag, { notice: always('what is stored is on the disk when it is acknowledged') }),
  bind_address: global(text, { lastWins: true }),
  bind_interface: own(text),
  bridge_alpn: ofBridge(text),
  bridge_attempt_unsubscribe: ofBridge(flag),
  bridge_bind_address: ofBridge(text),
  bridge_cafile: ofBridge(text),
  bridge_capath: ofBridge(text),
  bridge_certfile: ofBridge(text),
  bridge_ciphers: ofBridge(text),
  'bridge_ciphers_tls1.3': ofBridge(text),
  bridge_identity: ofBridge(text),
  bridge_insecure: ofBridge(flag),
  bridge_keyfile: ofBridge(text, { lastWins: true }),
  bridge_max_packet_size: ofBridge(int),
  bridge_max_topic_alias: ofBridge(whole(0, 65_535)),
  bridge_outgoing_retain: ofBridge(flag),
  bridge_protocol_version: ofBridge(text, { lastWins: true }),
  bridge_psk: ofBridge(text),
  bridge_receive_maximum: ofBridge(port),
  bridge_reload_type: ofBridge(word('lazy', 'immediate'), {
    notice: unless('immediate', 'a bridge that has changed connects again at once, as with immediate'),
  }),
  bridge_require_ocsp: ofBridge(flag, { refused: unless(false, 'Node.js asks for no OCSP') }),
  bridge_session_expiry_interval: ofBridge(whole(0, 2_147_483_647)),
  bridge_tcp_keepalive: ofBridge(text, {
    lastWins: true,
    notice: always('keepalive_interval finds out whether the other broker is there'),
  }),
  bridge_tcp_user_timeout: ofBridge(whole(0, 2_147_483_647), {
    notice: always('keepalive_interval finds out whether the other broker is there'),
  }),
  bridge_tls_use_os_certs: ofBridge(flag, {
    notice: unless(false, 'Node.js has a list of its own; NODE_EXTRA_CA_CERTS=FILE adds to it'),
  }),
  bridge_tls_version: ofBridge(word('tlsv1.2', 'tlsv1.3')),
  cafile: own(text, { needsListener: true, lastWins: true }),
  capath: own(text, { lastWins: true }),
  certfile: own(text, { lastWins: true }),
  check_retain_source: global(flag),
  ciphers: own(text, { lastWins: true }),
  'ciphers_tls1.3': own(text, { lastWins: true }),
  cleansession: ofBridge(flag),
  clientid: ofBridge(text, { alias: 'remote_clientid' }),
  clientid_prefixes: global(text, { lastWins: true }),
  connection: ofBridge({ kind: 'name' }, { lastWins: true }),
  connection_messages: global(flag, { notice: unless(true, 'log_type decides which lines are written') }),
  crlfile: own(text, { lastWins: true }),
  dhparamfile: own(text, { lastWins: true, notice: deprecated }),
  disable_client_cert_date_checks: own(flag, {
    needsListener: true,
    refused: unless(false, 'Node.js always checks the dates'),
  }),
  enable_control_api: global(flag),
  enable_proxy_protocol: own(whole(1, 2), {
    needsListener: true,
    notice: always('headers of both versions are believed; allow the proxy alone with ?allow= or a firewall'),
  }),
  global_max_clients: global(int),
  global_max_connections: global(int),
  global_plugin: global(text, { lastWins: true }),
  http_dir: own(text, { needsListener: true }),
  idle_timeout: ofBridge(int, { notice: lazy }),
  include_dir: global(text, { lastWins: true }),
  keepalive_interval: ofBridge(whole(-2_147_483_648, 65_535)),
  keyfile: own(text, { lastWins: true }),
  listener: global(text, { lastWins: true }),
  listener_allow_anonymous: own(flag, { needsListener: true }),
  listener_auto_id_prefix: own(text, { needsListener: true }),
  local_cleansession: ofBridge(flag),
  local_clientid: ofBridge(text),
  local_password: ofBridge(text, { notice: always('nobody asks a bridge for a password at this broker') }),
  local_username: ofBridge(text, { notice: always('nobody asks a bridge for a name at this broker') }),
  log_dest: global(text, { lastWins: true }),
  log_facility: global(whole(0, 7), { notice: always('there is no syslog here') }),
  log_timestamp: global(flag, { notice: unless(true, 'lines of the log are JSON with a time') }),
  log_timestamp_format: global(text, { notice: always('lines of the log are JSON, their time in ms since 1970') }),
  log_type: global(
    word(
      'none',
      'error',
      'warning',
      'notice',
      'information',
      'debug',
      'subscribe',
      'unsubscribe',
      'websockets',
      'internal',
      'all',
    ),
  ),
  max_connections: own(int),
  max_inflight_bytes: global(int),
  max_inflight_messages: global(whole(-2_147_483_648, 65_535)),
  max_keepalive: global(whole(0, 65_535)),
  max_packet_size: global(whole(20, 2_147_483_647)),
  max_qos: own(whole(0, 2)),
  max_queued_bytes: global(int, {
    notice: value =>
      value === 0 ? undefined : 'topics and properties count as well as payloads, and what would exceed it is dropped',
  }),
  max_queued_messages: global(int),
  max_topic_alias: own(whole(0, 65_535), { needsListener: true }),
  max_topic_alias_broker: own(whole(0, 65_535), { needsListener: true }),
  maximum_qos: own(whole(0, 2), { alias: 'max_qos' }),
  memory_limit: global(whole(0, 2_147_483_647), {
    notice: value =>
      value === 0
        ? undefined
        : 'it limits the bytes that wait for sessions (limits.maximumTotalQueuedBytes); limit the process by systemd (MemoryMax=) or its container',
  }),
  message_size_limit: global(whole(0, 268_435_455), {
    notice: value => (value === 0 ? undefined : 'better use max_packet_size, which clients are told'),
  }),
  mount_point: own(text, { needsListener: true, lastWins: true }),
  notification_topic: ofBridge(text),
  notifications: ofBridge(flag),
  notifications_local_only: ofBridge(flag),
  packet_buffer_size: global(whole(1, 65_535), { notice: always('buffers here grow with what they hold') }),
  password: ofBridge(text, { alias: 'remote_password' }),
  password_file: global(text, { perListener: true, lastWins: true }),
  per_listener_settings: global(flag),
  persistence: global(flag),
  persistence_file: global(text, {
    notice: always('the store is a directory of its own kind; what Mosquitto has stored is not read'),
  }),
  persistence_location: global(text),
  persistent_client_expiration: global(text, { lastWins: true }),
  pid_file: global(text),
  plugin: { scope: 'global', value: text, perListener: true, lastWins: true },
  plugin_load: global(text, { lastWins: true }),
  'plugin_opt_*': { scope: 'plugin', value: text, lastWins: true },
  'auth_opt_*': { scope: 'plugin', value: text, lastWins: true, alias: 'plugin_opt_*' },
  plugin_use: own(text, { needsListener: true, lastWins: true }),
  port: global(port),
  protocol: own(word('mqtt', 'websockets', 'http_api')),
  proxy_protocol_v2_require_tls: own(flag, { needsListener: true }),
  psk_file: global(text, { perListener: true, lastWins: true }),
  psk_hint: own(text),
  queue_qos0_messages: global(flag),
  remote_clientid: ofBridge(text),
  remote_password: ofBridge(text),
  remote_username: ofBridge(text),
  require_certificate: own(flag),
  restart_timeout: ofBridge(text, { lastWins: true }),
  retain_available: global(flag),
  retain_expiry_interval: global(whole(1, 2_147_483_647), {
    notice: always('retained messages that expire are removed in any case'),
  }),
  retained_persistence: global(flag, { alias: 'persistence' }),
  retry_interval: global(text, { lastWins: true, notice: deprecated }),
  round_robin: ofBridge(flag),
  set_tcp_nodelay: global(flag, { notice: unless(true, 'TCP_NODELAY is always set') }),
  socket_domain: own(word('ipv4', 'ipv6')),
  start_type: ofBridge(word('automatic', 'lazy', 'once'), { notice: value => (value === 'lazy' ? lazy() : undefined) }),
  sys_interval: global(whole(0, 65_535)),
  threshold: ofBridge(int, { notice: lazy }),
  tls_engine: own(text, { refused: engine }),
  tls_engine_kpass_sha1: own(text, { refused: engine }),
  tls_keyform: own(text, { refused: unless('pem', 'Node.js knows no OpenSSL engines; keep the key in a file') }),
  tls_version: own(word('tlsv1.2', 'tlsv1.3'), { needsListener: true }),
  topic: ofBridge(text, { lastWins: true }),
  try_private: ofBridge(flag),
  upgrade_outgoing_qos: global(flag),
  use_identity_as_username: own(flag),
  use_subject_as_username: own(flag),
  use_username_as_clientid: own(flag),
  user: global(text, { lastWins: true }),
  username: ofBridge(text, { alias: 'remote_username' }),
  websockets_headers_size: global(whole(1, 65_535), { notice: always('buffers here grow with what they hold') }),
  websockets_log_level: global(int, { notice: deprecated }),
  websockets_origin: own(text, {
    needsListener: true,
    lastWins: true,
    notice: value =>
      String(value).includes('://')
        ? undefined
        : 'a value without a scheme lets no page in: browsers send one, such as https://example.org',
  }),
}
