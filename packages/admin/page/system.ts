import { ask, path } from './api.ts'
import type { Fields } from './api.ts'
import { attempt, element, field, table, tell } from './dom.ts'
import type { View } from './view.ts'

/** Bridges, workers, shared subscriptions, and what can be changed of the broker. */
export const system: View = {
  title: 'System',
  async show() {
    const [broker, groups] = await Promise.all([ask('GET', '/api/v1/broker'), ask('GET', path`groups?limit=200`)])
    return element(
      'div',
      {},
      element('h1', {}, `x-broker ${String(broker['version'])}`),
      part('Bridges', bridges(broker)),
      part('Workers', workers(broker)),
      part(
        'Shared subscriptions',
        table(
          ['group', 'members'],
          (groups['items'] as readonly Fields[]).map(({ name, members }) => [String(name), Number(members)]),
          'None.',
        ),
      ),
      part('Configuration and log', control()),
    )
  },
}

function part(title: string, content: HTMLElement): HTMLElement {
  return element('section', {}, element('h2', {}, title), content)
}

function bridges(broker: Fields): HTMLElement {
  const rows = (broker['bridges'] as readonly Fields[]).map(({ name, state, counters }) => {
    const { in: into, out } = counters as Readonly<Record<string, Readonly<Record<string, number>>>>
    return [String(name), String(state), into?.['messages'] ?? 0, out?.['messages'] ?? 0]
  })
  return table(['bridge', 'state', 'messages in', 'messages out'], rows, 'None.')
}

function workers(broker: Fields): HTMLElement {
  const rows = (broker['workers'] as readonly Fields[]).map(worker => [
    Number(worker['number']),
    Number(worker['connectedClients']),
    Math.round(Number(worker['cpuSeconds'])),
    Math.round(Number(worker['residentBytes']) / 1_048_576),
    Math.round(Number(worker['eventLoopDelay'])),
  ])
  return table(['worker', 'clients', 'CPU, s', 'memory, MiB', 'delay, ms'], rows, 'This process is the only one.')
}

function reload(): Promise<void> {
  return attempt(async () => tell(String((await ask('POST', path`reload`))['result'])))
}

function control(): HTMLElement {
  const level = element(
    'select',
    {},
    ...['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map(value => element('option', { value }, value)),
  )
  void ask('GET', path`log/level`).then(
    answer => {
      level.value = String(answer['level'])
    },
    () => {
      level.disabled = true
    },
  )
  const change = (): Promise<void> =>
    attempt(async () => {
      await ask('PUT', path`log/level`, { level: level.value })
      tell(`The log begins at ${level.value}.`)
    })
  return element(
    'div',
    { class: 'row' },
    field('log level', level),
    element('button', { type: 'button', click: change }, 'Change'),
    element('button', { type: 'button', click: reload }, 'Read the configuration again'),
  )
}
