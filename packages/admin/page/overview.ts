import { ask } from './api.ts'
import type { Fields } from './api.ts'
import { element, table } from './dom.ts'
import { itemsOf } from './view.ts'
import type { View, ViewContext } from './view.ts'

interface Numbers {
  readonly at: number
  readonly counters: Readonly<Record<string, number>>
  readonly counts: Readonly<Record<string, number>>
}

/** Seconds that the curve shows. */
const shownSeconds = 60

const tiles = {
  clients: ['clients', ({ counts }: Numbers) => counts['connectedClients'] ?? 0],
  waiting: ['sessions that wait', ({ counts }: Numbers) => counts['disconnectedSessions'] ?? 0],
  subscriptions: ['subscriptions', ({ counts }: Numbers) => counts['subscriptions'] ?? 0],
  retained: ['retained messages', ({ counts }: Numbers) => counts['retainedMessages'] ?? 0],
  queued: ['queued messages', ({ counts }: Numbers) => counts['queuedMessages'] ?? 0],
  refused: ['connections refused', ({ counters }: Numbers) => counters['connectionsRefused'] ?? 0],
} as const satisfies Record<string, readonly [string, (numbers: Numbers) => number]>

/** What the broker does now. */
export const overview: View = {
  title: 'Overview',
  async show(context) {
    const broker = await ask('GET', '/api/v1/broker')
    const troubles = itemsOf(await ask('GET', '/api/v1/errors'))
    return element('div', {}, ...live(context, broker), listeners(broker), trouble(troubles))
  },
}

function live(context: ViewContext, broker: Fields): HTMLElement[] {
  const numbers = new Map(Object.keys(tiles).map(name => [name, element('b', {}, '…')]))
  const rateIn = element('b', {}, '…')
  const rateOut = element('b', {}, '…')
  const curve = new Curve()
  let before: Numbers | undefined
  context.on('numbers', value => {
    const now = value as unknown as Numbers
    for (const [name, [, read]] of Object.entries(tiles)) {
      numbers.get(name)?.replaceChildren(read(now).toLocaleString('en'))
    }
    const rates = before === undefined ? undefined : ratesOf(before, now)
    before = now
    if (rates === undefined) return
    rateIn.textContent = rates.in.toLocaleString('en')
    rateOut.textContent = rates.out.toLocaleString('en')
    curve.add(rates.in, rates.out)
  })
  return [
    element('h1', {}, `Broker ${String(broker['id'])}`),
    element(
      'div',
      { class: 'tiles' },
      tile('messages in, a second', rateIn),
      tile('messages out, a second', rateOut),
      ...Object.entries(tiles).map(([name, [label]]) => tile(label, numbers.get(name) as HTMLElement)),
    ),
    element('section', {}, element('h2', {}, 'Messages a second'), curve.root),
  ]
}

function tile(label: string, number: HTMLElement): HTMLElement {
  return element('div', { class: 'tile' }, number, element('span', {}, label))
}

function ratesOf(before: Numbers, now: Numbers): { readonly in: number; readonly out: number } {
  const seconds = Math.max(0.001, (now.at - before.at) / 1000)
  const rate = (name: string): number =>
    Math.round(((now.counters[name] ?? 0) - (before.counters[name] ?? 0)) / seconds)
  return { in: rate('publishesReceived'), out: rate('publishesSent') }
}

/** The last minute as two lines. */
class Curve {
  readonly root: HTMLElement
  readonly #lines: readonly SVGPolylineElement[]
  readonly #values: [number[], number[]] = [[], []]
  readonly #top: HTMLElement

  constructor() {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    svg.setAttribute('class', 'rates')
    svg.setAttribute('viewBox', `0 0 ${shownSeconds - 1} 100`)
    svg.setAttribute('preserveAspectRatio', 'none')
    svg.setAttribute('role', 'img')
    svg.setAttribute('aria-label', 'messages in and out in the last minute')
    this.#lines = ['in', 'out'].map(name => {
      const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline')
      line.setAttribute('class', name)
      svg.append(line)
      return line
    })
    this.#top = element('span', {}, '')
    const legend = element(
      'div',
      { class: 'soft' },
      element('span', { class: 'in' }, '— in '),
      element('span', { class: 'out' }, '— out '),
      this.#top,
    )
    this.root = element('div', {}, svg, legend)
  }

  add(into: number, out: number): void {
    for (const [index, value] of [into, out].entries()) {
      const values = this.#values[index] as number[]
      values.push(value)
      if (values.length > shownSeconds) values.shift()
    }
    const top = Math.max(1, ...this.#values.flat())
    this.#top.textContent = `(to ${top.toLocaleString('en')})`
    for (const [index, line] of this.#lines.entries()) {
      const values = this.#values[index] as number[]
      const first = shownSeconds - values.length
      line.setAttribute('points', values.map((value, at) => `${first + at},${98 - (value / top) * 96}`).join(' '))
    }
  }
}

function listeners(broker: Fields): HTMLElement {
  const rows = (broker['listeners'] as readonly Fields[]).map(({ name, urls, connections }) => [
    String(name),
    ((urls ?? []) as readonly string[]).join(' '),
    Number(connections),
  ])
  return element(
    'section',
    {},
    element('h2', {}, 'Ways in'),
    table(['listener', 'address', 'connections'], rows, 'The program hands connections over by itself.'),
  )
}

function trouble(items: readonly Fields[]): HTMLElement {
  const rows = items.map(({ code, count, meaning, advice }) => [
    String(code),
    Number(count),
    String(meaning),
    String(advice),
  ])
  return element(
    'section',
    {},
    element('h2', {}, 'Refused and dropped since the broker began'),
    table(['code', 'times', 'what happened', 'what to do'], rows, 'Nothing.'),
  )
}
