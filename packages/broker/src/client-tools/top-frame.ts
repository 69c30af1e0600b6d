import type { Rated, TopNumbers } from './top-numbers.ts'

/** Listeners and errors that are named. */
const mostListed = 8
/** ms: twice the usual time between two looks of the broker at itself, and some more. */
const stale = 25_000

function row(name: string, ...cells: readonly string[]): string {
  return `${name.padEnd(16)}${cells.map(cell => cell.padStart(14)).join('')}`.trimEnd()
}

/** One picture of a broker, as lines. What comes from it is made printable. */
export function topFrame(numbers: TopNumbers, now: number): readonly string[] {
  const count = (name: string): string => shownCount(numbers.number(name))
  const rate = (name: Rated, unit = ''): string => {
    const value = numbers.rate(name, { now, stale })
    return value === undefined ? '-' : `${unit === 'B' ? shownBytes(value) : shownCount(value)}/s`
  }
  const bytes = (name: string): string => shownBytes(numbers.number(name))
  return [
    `${printable(numbers.text('version'))}, up ${shownTime(Number.parseInt(numbers.text('uptime'), 10) || 0)}`,
    '',
    row('', 'now', 'most', 'away', 'all'),
    row(
      'clients',
      count('clients/connected'),
      count('clients/maximum'),
      count('clients/disconnected'),
      count('clients/total'),
    ),
    '',
    row('', 'in', 'out', 'total in', 'total out'),
    row(
      'messages',
      rate('publish/messages/received'),
      rate('publish/messages/sent'),
      count('publish/messages/received'),
      count('publish/messages/sent'),
    ),
    row(
      'payload',
      rate('publish/bytes/received', 'B'),
      rate('publish/bytes/sent', 'B'),
      bytes('publish/bytes/received'),
      bytes('publish/bytes/sent'),
    ),
    row('network', rate('bytes/received', 'B'), rate('bytes/sent', 'B'), bytes('bytes/received'), bytes('bytes/sent')),
    row('dropped', '', rate('publish/messages/dropped'), '', count('publish/messages/dropped')),
    '',
    row('subscriptions', count('subscriptions/count')),
    row('retained', count('retained messages/count'), bytes('store/retained/bytes')),
    row('waiting', count('store/messages/count'), bytes('store/queued/bytes')),
    row('heap', bytes('heap/current'), bytes('heap/maximum')),
    ...listed('listeners', numbers.list('listeners/', '/connections')),
    ...listed('errors of peers', numbers.list('errors/', '')),
  ]
}

function listed(title: string, all: readonly (readonly [string, number])[]): readonly string[] {
  if (all.length === 0) return []
  const shown = all.slice(0, mostListed).map(([name, number]) => row(`  ${printable(name)} `, shownCount(number)))
  const more = all.length - shown.length
  return ['', title, ...shown, ...(more > 0 ? [`  and ${more} more`] : [])]
}

/** Without what would steer a terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?').slice(0, 100)
}

function shownCount(number: number): string {
  return number < 100 ? String(Math.round(number * 10) / 10) : Math.round(number).toLocaleString('en')
}

const units = ['B', 'kB', 'MB', 'GB', 'TB']

function shownBytes(number: number): string {
  const unit = number < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(number) / 3))
  const value = number / 1000 ** unit
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

function shownTime(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([number]) => number > 0)
  return parts
    .slice(first === -1 ? 3 : first)
    .slice(0, 2)
    .map(([number, unit]) => `${number} ${unit}`)
    .join(' ')
}
