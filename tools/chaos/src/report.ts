import type { HistoryEvent } from './history.ts'
import type { RunResult } from './run.ts'

const mebibyte = 1_048_576

/** What happened in a run, in lines of name and number. */
export function reportOf({ history, violations, clients }: RunResult): [string, string][] {
  const count = (is: (event: HistoryEvent) => boolean): string => String(history.filter(is).length)
  const fault = (name: string): string => count(event => event.kind === 'fault' && event.fault === name)
  const link = (name: string, kind: string): string =>
    count(
      event => event.kind === 'fault' && event.fault === kind && event.detail?.includes(`"link":"${name}"`) === true,
    )
  const acknowledged = (step: string): string => count(event => event.kind === 'acknowledged' && event.step === step)
  const of = (kind: 'publish' | 'received', qos: number): string =>
    count(event => event.kind === kind && event.qos === qos)
  const byQoS = (kind: 'publish' | 'received'): string => [0, 1, 2].map(qos => of(kind, qos)).join(' / ')
  const memory = history.reduce((most, event) => (event.kind === 'memory' ? Math.max(most, event.bytes) : most), 0)
  return [
    ['clients', String(clients)],
    ['connections accepted', count(({ kind }) => kind === 'connected')],
    [
      'connections closed by a broker with 0x8E (taken over)',
      count(event => event.kind === 'closed' && event.reasonCode === 0x8e),
    ],
    ['connections refused', count(({ kind }) => kind === 'refused')],
    ['brokers killed', fault('killed')],
    [
      '… at a named point',
      count(event => event.kind === 'fault' && event.fault === 'killed' && event.detail !== 'at random'),
    ],
    ['brokers stopped (SIGSTOP)', fault('stop')],
    ['links cut at a named point', fault('cut')],
    [
      'links to Redis cut, stalled, slow',
      ['cutLink', 'stallLink', 'slowLink'].map(kind => link('redis', kind)).join(' / '),
    ],
    [
      'links of clients cut, stalled, slow',
      ['cutLink', 'stallLink', 'slowLink'].map(kind => link('clients', kind)).join(' / '),
    ],
    ['Redis killed, frozen, full', ['killRedis', 'freezeRedis', 'fillRedis'].map(fault).join(' / ')],
    ['Redis gone back, emptied', ['rewindRedis', 'emptyRedis'].map(fault).join(' / ')],
    ['primaries lost with a replica that was behind', fault('loseUnreplicated')],
    ['disk filled', fault('fillDisk')],
    ['storms of one client identifier', fault('storm')],
    ['messages sent, QoS 0 / 1 / 2, repetitions included', byQoS('publish')],
    ['messages acknowledged, PUBACK / PUBREC', [acknowledged('puback'), acknowledged('pubrec')].join(' / ')],
    ['messages received, QoS 0 / 1 / 2, repetitions included', byQoS('received')],
    ['wills received', count(event => event.kind === 'received' && event.topic.startsWith('will/') && !event.again)],
    ['most memory of a broker', `${Math.round(memory / mebibyte)} MiB`],
    ['violations', String(violations.length)],
  ]
}
