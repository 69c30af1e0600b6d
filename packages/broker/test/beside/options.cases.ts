import type { Files } from './brokers.ts'
import { as, enter, hold, leave, publish, release, reload, subscribe, unsubscribe, will } from './scenario.ts'
import type { Step } from './scenario.ts'

/** A configuration, and what clients do with it. */
interface Scenario {
  readonly title: string
  readonly files: Files
  readonly versions?: readonly (3 | 4 | 5)[]
  readonly steps: readonly Step[]
}

/** Users `ann` and `bob`, whose passwords are their names. The test makes the file with mosquitto_passwd. */
const users = 'password_file DIR/users\n'
const open = 'listener main\nallow_anonymous true\n'
const lasting = { clean: false, properties: { sessionExpiryInterval: 1000 } }

function scenario(title: string, conf: string, steps: readonly Step[], more: Partial<Scenario> = {}): Scenario {
  return { title, steps, ...more, files: { 'm.conf': `${open}${conf}`, ...more.files } }
}

const published = ([0, 1, 2] as const).map(qos => publish('p', `t/${qos}`, { qos, payload: 'x'.repeat(11) }))

export const scenarios: readonly Scenario[] = [
  // Mosquitto 2.0 lets in MQTT 3 clients with any; 2.1 refuses what exceeds the limit.
  scenario(
    'max_keepalive',
    'max_keepalive 60\n',
    [
      enter('none', { keepalive: 0 }),
      enter('some', { keepalive: 30 }),
      enter('most', { keepalive: 60 }),
      enter('more', { keepalive: 61 }),
    ],
    { versions: [5] },
  ),
  // MQTT 5 clients are told by a reason code that mqtt-packet can't read.
  scenario(
    'message_size_limit',
    'message_size_limit 10\n',
    [
      enter('s'),
      subscribe('s', 't/#', 2),
      enter('p'),
      ...published,
      publish('p', 't/last', { payload: 'x'.repeat(10), qos: 2 }),
      enter('small', will('t/will', { payload: 'x'.repeat(10) })),
      enter('large', will('t/will', { payload: 'x'.repeat(11) })),
    ],
    { versions: [4] },
  ),
  scenario('max_packet_size', 'max_packet_size 140\n', [
    enter('s'),
    subscribe('s', 't/#'),
    enter('p'),
    publish('p', 't/a', { payload: 'x'.repeat(100) }),
    publish('p', 't/b', { payload: 'x'.repeat(160) }),
    enter('long', { clientId: 'x'.repeat(160) }),
  ]),
  scenario('topics of 200 slashes', '', [
    enter('s'),
    subscribe('s', '/'.repeat(200)),
    enter('p'),
    publish('p', '/'.repeat(200)),
  ]),
  scenario('clientid_prefixes', `clientid_prefixes a-\n${users}`, [
    enter('a-1', as('ann')),
    enter('b-1', as('ann')),
    enter('a', as('ann')),
    enter('A-1', as('ann')),
    enter('a-2', as('ann', 'wrong')),
    enter('b-2', as('ann', 'wrong')),
    enter('empty', { clientId: '', ...as('ann') }),
  ]),
  scenario('use_username_as_clientid', `use_username_as_clientid true\n${users}`, [
    enter('one', as('ann')),
    enter('two', as('bob')),
    enter('three', as('ann')),
    enter('none'),
    enter('wrong', as('bob', 'wrong')),
    enter('empty', { clientId: '', ...as('bob') }),
  ]),
  scenario('use_username_as_clientid and clientid_prefixes', 'use_username_as_clientid true\nclientid_prefixes a-\n', [
    enter('a-1', as('zoe')),
    enter('b-1', as('a-zoe')),
    enter('a-2'),
    enter('b-2'),
  ]),
  ...['true', 'false'].map(value =>
    scenario(`allow_zero_length_clientid ${value}`, `allow_zero_length_clientid ${value}\nauto_id_prefix q-\n`, [
      enter('clean', { clientId: '' }),
      enter('lasting', { clientId: '', clean: false }),
      enter('named'),
      enter('wrong', { clientId: '', ...as('ann', 'wrong') }),
    ]),
  ),
  scenario(
    'allow_zero_length_clientid false and clientid_prefixes',
    'allow_zero_length_clientid false\nclientid_prefixes a-\n',
    [enter('empty', { clientId: '' }), enter('a-')],
  ),
  scenario('anonymous clients beside a password file', users, [
    enter('none'),
    enter('ann', as('ann')),
    enter('wrong', as('ann', 'wrong')),
    enter('missing', { username: 'ann' }),
    enter('empty', as('ann', '')),
    enter('unknown', as('zoe')),
    enter('nameless', { username: '' }),
  ]),
  scenario(
    'no anonymous clients',
    '',
    [
      enter('none'),
      enter('ann', as('ann')),
      enter('wrong', as('ann', 'wrong')),
      enter('missing', { username: 'ann' }),
      enter('unknown', as('zoe')),
      enter('empty', { clientId: '' }),
    ],
    { files: { 'm.conf': `listener main\n${users}` } },
  ),
  scenario('no users and no anonymous clients', '', [enter('none'), enter('ann', as('ann'))], {
    files: { 'm.conf': 'listener main\n' },
  }),
  scenario(
    'users and rules of each listener',
    '',
    [
      enter('one'),
      enter('two', { to: 'other' }),
      enter('ann', { to: 'other', ...as('ann') }),
      enter('zoe', { to: 'main', ...as('zoe') }),
      subscribe('one', 't/#'),
      publish('ann', 't/a'),
      publish('ann', 't/b'),
      publish('zoe', 't/b'),
    ],
    {
      files: {
        'm.conf': `per_listener_settings true\nlistener main\nallow_anonymous true\nlistener other\n${users}acl_file DIR/acl\n`,
        acl: 'user ann\ntopic t/a\n',
      },
    },
  ),
  scenario('queue_qos0_messages false', '', [...queued()]),
  scenario('queue_qos0_messages true', 'queue_qos0_messages true\n', [...queued()]),
  ...['true', 'false'].map(value =>
    scenario(`upgrade_outgoing_qos ${value}`, `upgrade_outgoing_qos ${value}\n`, [
      enter('p'),
      publish('p', 't/retained', { qos: 0, retain: true }),
      enter('s'),
      subscribe('s', 't/#', 2),
      ...([0, 1, 2] as const).map(qos => publish('p', `t/${qos}`, { qos })),
      subscribe('s', 'u/#', 1),
      ...([0, 1, 2] as const).map(qos => publish('p', `u/${qos}`, { qos })),
    ]),
  ),
  scenario('upgrade_outgoing_qos and max_qos', 'upgrade_outgoing_qos true\nmax_qos 1\n', [
    enter('s'),
    subscribe('s', 't/#', 2),
    enter('p'),
    publish('p', 't/0', { qos: 0 }),
  ]),
  scenario('retain_available', 'retain_available false\n', [
    enter('s'),
    subscribe('s', 't/#'),
    enter('p'),
    publish('p', 't/a'),
    publish('p', 't/b', { retain: true }),
  ]),
  ...([0, 1] as const).map(most =>
    scenario(`max_qos ${most}`, `max_qos ${most}\n`, [
      enter('s'),
      subscribe('s', 't/#', 2),
      ...([0, 1, 2] as const).flatMap(qos => [enter(`p${qos}`), publish(`p${qos}`, `t/${qos}`, { qos })]),
    ]),
  ),
  ...[0, 3].map(most =>
    scenario(
      `max_topic_alias ${most}`,
      `max_topic_alias ${most}\n`,
      [
        enter('s'),
        subscribe('s', 't/#'),
        enter('p'),
        publish('p', 't/a', { alias: 3 }),
        publish('p', '', { alias: 3 }),
        enter('q'),
        publish('q', 't/b', { alias: 4 }),
        enter('r'),
        publish('r', '', { alias: 1 }),
      ],
      { versions: [5] },
    ),
  ),
  // Mosquitto 2.0 leaves the mount point on what it delivers, so it is looked at from outside.
  scenario('mount_point', 'listener mounted\nmount_point m/\n', [
    enter('all'),
    subscribe('all', '#'),
    enter('in', { to: 'mounted', ...will('will') }),
    publish('in', 'a'),
    publish('in', 'retained', { retain: true }),
    publish('in', '$SYS/x'),
    publish('in', '$share/g/x'),
    enter('in', { to: 'mounted' }),
    enter('late'),
    subscribe('late', 'm/+'),
  ]),
  scenario('max_inflight_messages', 'max_inflight_messages 2\n', [
    enter('s'),
    subscribe('s', 't/#', 2),
    hold('s'),
    enter('p'),
    ...['1', '2', '3', '4'].map(payload => publish('p', `t/${payload}`, { payload })),
    publish('p', 't/zero', { qos: 0 }),
    release('s'),
  ]),
  scenario('max_inflight_bytes', 'max_inflight_bytes 10\n', [
    enter('s'),
    subscribe('s', 't/#', 1),
    hold('s'),
    enter('p'),
    publish('p', 't/1', { payload: 'x'.repeat(6) }),
    publish('p', 't/2', { payload: 'x'.repeat(6) }),
    publish('p', 't/3', { payload: 'x'.repeat(6) }),
    release('s'),
  ]),
  scenario('max_queued_messages', 'max_queued_messages 2\n', [...stored()]),
  scenario('$ topics and control topics', '', [
    enter('all'),
    subscribe('all', '#'),
    subscribe('all', '$mine/#'),
    enter('p'),
    ...['$SYS/x', '$SYS/broker/connection/p/state', '$share/x', '$share/g/x', '$mine/x', '$', '$SYS', '/', '/a/'].map(
      topic => publish('p', topic),
    ),
    subscribe('p', '$share/g/t'),
    publish('all', 't'),
    unsubscribe('p', '$share/g/t'),
    publish('all', 't'),
  ]),
  scenario(
    'check_retain_source',
    `check_retain_source true\n${users}acl_file DIR/acl\n`,
    [
      enter('bob', as('bob')),
      publish('bob', 't/kept', { retain: true }),
      publish('bob', 't/lost', { retain: true }),
      enter('ann', as('ann')),
      subscribe('ann', 't/#'),
      unsubscribe('ann', 't/#'),
      reload({ acl: 'user ann\ntopic read t/#\nuser bob\ntopic write t/kept\n' }),
      subscribe('ann', 't/#'),
      unsubscribe('ann', 't/#'),
      publish('bob', 't/lost', { retain: true }),
      subscribe('ann', 't/#'),
    ],
    {
      files: { acl: 'user ann\ntopic read t/#\nuser bob\ntopic write t/#\n' },
    },
  ),
  scenario(
    'check_retain_source false',
    `check_retain_source false\n${users}acl_file DIR/acl\n`,
    [
      enter('bob', as('bob')),
      publish('bob', 't/a', { retain: true }),
      reload({ acl: 'user ann\ntopic read t/#\n' }),
      enter('ann', as('ann')),
      subscribe('ann', 't/#'),
    ],
    {
      files: { acl: 'user ann\ntopic read t/#\nuser bob\ntopic write t/#\n' },
    },
  ),
  scenario(
    'rules for messages, wills, queues and sessions',
    `${users}acl_file DIR/acl\n`,
    [
      enter('ann', { ...as('ann'), ...lasting }),
      subscribe('ann', '#', 2),
      enter('bob', { ...as('bob'), ...will('house/will') }),
      ...(['house/a', 'house/secret', 'other', 'clients/bob/state', 'clients/ann/state'] as const).flatMap(topic =>
        ([0, 1, 2] as const).map(qos => publish('bob', topic, { qos, payload: `${qos}` })),
      ),
      enter('thief', { ...as('bob'), ...will('other/will') }),
      enter('thief', as('bob')),
      leave('ann'),
      publish('bob', 'house/queued', { qos: 1 }),
      publish('bob', 'house/secret', { qos: 1 }),
      reload({ acl: 'user ann\ntopic read new/#\nuser bob\ntopic house/#\ntopic new/#\n' }),
      enter('ann', { ...as('ann'), ...lasting }),
      publish('bob', 'house/a'),
      publish('bob', 'new/a'),
    ],
    {
      files: {
        acl: 'user ann\ntopic read house/#\ntopic deny house/secret\nuser bob\ntopic house/#\npattern clients/%c/state\n',
      },
    },
  ),
]

function* queued(): Generator<Step> {
  yield enter('s', lasting)
  yield subscribe('s', 't/#', 1)
  yield leave('s')
  yield enter('p')
  for (const qos of [0, 1, 2] as const) yield publish('p', `t/${qos}`, { qos })
  yield enter('s', lasting)
}

function* stored(): Generator<Step> {
  yield enter('s', lasting)
  yield subscribe('s', 't/#', 1)
  yield leave('s')
  yield enter('p')
  for (const payload of ['aaa', 'bbb', 'ccc', 'ddd']) yield publish('p', `t/${payload}`, { payload })
  yield enter('s', lasting)
}
