/** A conversation through the broker: what is published before and after somebody subscribes, and what is printed for it.
 * Parameters are those of the commands, as they are typed, without host, port and version. */
export interface Exchange {
  readonly title: string
  /** mosquitto_pub, before there is a subscriber. */
  readonly before?: readonly string[]
  /** mosquitto_sub. */
  readonly subscribe: string
  /** `-F` of mosquitto_sub. */
  readonly format: string
  /** mosquitto_pub, once the subscription is acknowledged. */
  readonly publish?: readonly string[]
  /** Everything that mosquitto_sub prints, a line for each message. */
  readonly lines: readonly (string | RegExp)[]
}

/** Each property that a message can carry, alone. */
const publishProperties: readonly Exchange[] = [
  {
    title: 'Content Type',
    subscribe: '-t property/content-type',
    format: '%C',
    publish: ['-t property/content-type -m x -D publish content-type text/plain;charset=utf-8'],
    lines: ['text/plain;charset=utf-8'],
  },
  {
    title: 'Correlation Data',
    subscribe: '-t property/correlation-data',
    format: '%D',
    publish: ['-t property/correlation-data -m x -D publish correlation-data request-7'],
    lines: ['request-7'],
  },
  {
    title: 'Message Expiry Interval',
    subscribe: '-t property/message-expiry-interval',
    format: '%E',
    publish: ['-t property/message-expiry-interval -m x -D publish message-expiry-interval 1000000'],
    lines: [/^(?:1000000|999999)$/],
  },
  {
    title: 'Payload Format Indicator 0 and 1',
    subscribe: '-t property/payload-format-indicator',
    format: '%F %p',
    publish: [
      '-t property/payload-format-indicator -m x -D publish payload-format-indicator 0',
      '-t property/payload-format-indicator -m é -D publish payload-format-indicator 1',
    ],
    lines: ['0 x', '1 é'],
  },
  {
    title: 'Response Topic',
    subscribe: '-t property/response-topic',
    format: '%R',
    publish: ['-t property/response-topic -m x -D publish response-topic answers/here'],
    lines: ['answers/here'],
  },
  {
    title: 'User Properties, also of one name, in their order',
    subscribe: '-t property/user-property',
    format: '%P',
    publish: [
      '-t property/user-property -m x -D publish user-property b 1 -D publish user-property a 2 -D publish user-property b 3',
    ],
    lines: ['b:1 a:2 b:3'],
  },
  {
    title: 'Topic Alias: the alias stands for the topic from the second message on',
    subscribe: '-q 1 -t property/topic-alias',
    format: '%t %p A=%A',
    publish: [
      '-q 1 -t property/topic-alias -m x --repeat 3 -D publish topic-alias 1',
      '-q 1 -t property/topic-alias -m y --repeat 2 -D publish topic-alias 1024',
    ],
    lines: ['x', 'x', 'x', 'y', 'y'].map(payload => `property/topic-alias ${payload} A=`),
  },
]

const everyProperty =
  '-D publish content-type application/json -D publish correlation-data 7 -D publish payload-format-indicator 1 ' +
  '-D publish response-topic answers -D publish user-property unit celsius'

const messages: readonly Exchange[] = [
  {
    title: 'all properties together, at each QoS, as %j shows them',
    subscribe: '-q 2 -t message/all -D subscribe subscription-identifier 9',
    format: '%j',
    publish: ['0', '1', '2'].map(qos => `-q ${qos} -t message/all -m 21 ${everyProperty}`),
    lines: ['0', '1', '2'].map(
      qos =>
        new RegExp(
          `"topic":"message/all","qos":${qos},"retain":0,.*"properties":{"subscription-identifier":9,"content-type":"application/json",` +
            '"correlation-data":"7","payload-format-indicator":1,"response-topic":"answers","user-properties":{"unit":"celsius"}},"payload":"21"',
        ),
    ),
  },
  {
    title: 'a JSON payload, as %J shows it',
    subscribe: '-t message/json',
    format: '%J',
    publish: ['-t message/json -m {"celsius":21.5} -D publish content-type application/json'],
    lines: [/"properties":{"content-type":"application\/json"},"payload":{"celsius":21.5}}$/],
  },
  {
    title: 'length and bytes of a payload, and an empty one',
    subscribe: '-t message/bytes',
    format: '%l <%x> <%X>',
    publish: ['-t message/bytes -m é/', '-t message/bytes -n'],
    lines: ['3 <c3a92f> <C3A92F>', '0 <> <>'],
  },
  ...['0', '1', '2'].map(granted => ({
    title: `a subscription with -q ${granted} gets at most that QoS`,
    subscribe: `-q ${granted} -t message/at-most-${granted}`,
    format: '%q',
    publish: ['0', '1', '2'].map(qos => `-q ${qos} -t message/at-most-${granted} -m x`),
    lines: ['0', '1', '2'].map(qos => (qos < granted ? qos : granted)),
  })),
  {
    title: 'a hundred messages through the narrowest Receive Maximum, in order',
    subscribe: '-q 2 -t message/numbered/+ -D connect receive-maximum 1',
    format: '%q %t',
    publish: [
      '-q 1 -t message/numbered/1 -m x --repeat 50 -D connect receive-maximum 1',
      '-q 2 -t message/numbered/2 -m x --repeat 50 -M 50',
    ],
    lines: Array.from({ length: 100 }, (_, index) => (index < 50 ? '1 message/numbered/1' : '2 message/numbered/2')),
  },
  {
    title: 'messages above the Maximum Packet Size of a client are not sent to it',
    subscribe: '-q 1 -t message/size -D connect maximum-packet-size 100',
    format: '%l',
    publish: [10, 200, 20, 100, 30].map(size => `-q 1 -t message/size -m ${'x'.repeat(size)}`),
    lines: ['10', '20', '30'],
  },
  {
    title: 'Topic Aliases towards a client that takes them, each with its topic',
    subscribe: '-t message/aliased/+ -D connect topic-alias-maximum 2',
    format: '%A %t',
    publish: ['-t message/aliased/a -m x', '-t message/aliased/b -m x'],
    lines: ['1 message/aliased/a', '2 message/aliased/b'],
  },
]

const subscriptions: readonly Exchange[] = [
  ...['1', '128', '268435455'].map(identifier => ({
    title: `Subscription Identifier ${identifier}, and a User Property of the subscription`,
    subscribe: `-t subscription/${identifier}/# -D subscribe subscription-identifier ${identifier} -D subscribe user-property a b`,
    format: '%S P=%P',
    publish: [`-t subscription/${identifier}/a/b -m x`],
    lines: [`${identifier} P=`],
  })),
  {
    title: 'overlapping filters of one SUBSCRIBE bring one copy',
    subscribe: '-q 1 -t subscription/overlap/# -t subscription/overlap/+ -D subscribe subscription-identifier 5',
    format: '%t',
    publish: ['-q 1 -t subscription/overlap/a -m x'],
    lines: ['subscription/overlap/a'],
  },
  {
    title: '-U with a User Property takes the subscription of the filter away',
    subscribe: '-t subscription/kept -t subscription/left -U subscription/left -D unsubscribe user-property a b',
    format: '%t',
    publish: ['-t subscription/left -m x', '-t subscription/kept -m x'],
    lines: ['subscription/kept'],
  },
]

const retained: readonly Exchange[] = [
  {
    title: 'a retained message comes first, with RETAIN and its properties; a live one has no RETAIN',
    before: [`-r -q 1 -t retained/plain -m old ${everyProperty}`],
    subscribe: '-q 1 -t retained/plain',
    format: '%r %p C=%C D=%D F=%F R=%R P=%P',
    publish: ['-r -q 1 -t retained/plain -m new'],
    lines: ['1 old C=application/json D=7 F=1 R=answers P=unit:celsius', '0 new C= D= F= R= P='],
  },
  {
    title: '--retain-as-published keeps RETAIN of live messages as it was sent',
    subscribe: '-q 1 -t retained/as-published --retain-as-published',
    format: '%r',
    publish: ['-r -q 1 -t retained/as-published -m x', '-q 1 -t retained/as-published -m x'],
    lines: ['1', '0'],
  },
  {
    title: '-R asks for no retained messages (Retain Handling 2)',
    before: ['-r -q 1 -t retained/never -m old'],
    subscribe: '-q 1 -t retained/never -R',
    format: '%p',
    publish: ['-q 1 -t retained/never -m live'],
    lines: ['live'],
  },
  {
    title: 'the Message Expiry Interval of a retained message counts down',
    before: ['-r -q 1 -t retained/expiring -m x -D publish message-expiry-interval 1000'],
    subscribe: '-t retained/expiring',
    format: '%E',
    lines: [/^(?:1000|99\d)$/],
  },
  {
    title: 'a retained message with an interval of 0 is gone at once',
    before: ['-r -q 1 -t retained/expired -m x -D publish message-expiry-interval 0'],
    subscribe: '-t retained/expired',
    format: '%E',
    lines: [],
  },
  {
    // What is removed is announced to all, the client that removes it included.
    title: '--remove-retained clears a retained message',
    before: ['-r -q 1 -t retained/removed -m old'],
    subscribe: '-t retained/removed --remove-retained',
    format: '%r %l',
    lines: ['1 3', '0 0'],
  },
  {
    title: 'a retained message that was cleared does not come any more',
    before: ['-r -q 1 -t retained/cleared -m old', '-r -q 1 -t retained/cleared -n'],
    subscribe: '-t retained/cleared',
    format: '%p',
    lines: [],
  },
]

export const exchanges: readonly Exchange[] = [...publishProperties, ...messages, ...subscriptions, ...retained]
