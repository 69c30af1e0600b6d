import { ask, path } from './api.ts'
import type { Fields } from './api.ts'
import { attempt, element, table, tell } from './dom.ts'
import type { Content } from './dom.ts'
import { bestForm, bytesOf, shownPayload } from './payload.ts'
import { itemsOf, textOf } from './view.ts'
import type { View, ViewContext } from './view.ts'

/** Clients that are connected, and sessions that wait; one of them in detail. */
export const clients: View = {
  title: 'Clients',
  show: context => (context.subject === '' ? list(context) : detail(context.subject)),
}

function list(context: ViewContext): HTMLElement {
  const search = element('input', {
    type: 'search',
    'aria-label': 'client identifier',
    placeholder: 'client identifier',
  })
  const kind = element(
    'select',
    { 'aria-label': 'which' },
    element('option', { value: 'clients' }, 'connected'),
    element('option', { value: 'sessions' }, 'stored sessions'),
  )
  const found = element('div', {})
  const begin = (): Promise<void> => attempt(() => showPage(found, kind.value, search.value))
  search.addEventListener('input', () => void begin())
  kind.addEventListener('change', () => void begin())
  void begin()
  let connected: unknown
  context.on('numbers', ({ counts }) => {
    const { connectedClients } = counts as { readonly connectedClients: number }
    // The first number may be younger than the list.
    const isOther = connected !== connectedClients
    connected = connectedClients
    if (isOther) void begin()
  })
  return element(
    'div',
    {},
    element('h1', {}, 'Clients'),
    element('section', {}, element('div', { class: 'row' }, search, kind), found),
  )
}

async function showPage(place: HTMLElement, kind: string, search: string, cursor?: string): Promise<void> {
  const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
  const page = await ask('GET', `${path`${kind}?limit=50&search=${search}`}${next}`)
  const rows = itemsOf(page).map(kind === 'clients' ? clientRow : sessionRow)
  const headings =
    kind === 'clients'
      ? ['client', 'address', 'user', 'listener', 'MQTT', 'subscriptions', 'in flight']
      : ['client', 'connected', 'subscriptions', 'queued', 'expires']
  const more = page['cursor']
  const shown = table(headings, rows, 'None.')
  const button =
    typeof more === 'string'
      ? element('button', { type: 'button', click: () => attempt(() => showPage(place, kind, search, more)) }, 'More')
      : null
  if (cursor === undefined) place.replaceChildren()
  place.querySelector('button')?.remove()
  place.append(shown, ...(button === null ? [] : [button]))
}

const versions: Readonly<Record<string, string>> = { 3: '3.1', 4: '3.1.1', 5: '5.0' }

function link(clientId: unknown): HTMLElement {
  return element('a', { href: `#clients/${encodeURIComponent(String(clientId))}` }, String(clientId))
}

function clientRow(client: Fields): Content[] {
  const { clientId, address, port, username, listener, version, subscriptions, inflight } = client
  const place = address === null ? '' : `${textOf(address)}:${textOf(port)}`
  return [
    link(clientId),
    place,
    textOf(username),
    textOf(listener),
    versions[String(version)],
    Number(subscriptions),
    Number(inflight),
  ]
}

function sessionRow({ clientId, isOpen, subscriptions, queuedMessages, expiresAt }: Fields): Content[] {
  const end = expiresAt === null ? '' : new Date(Number(expiresAt)).toLocaleString()
  return [link(clientId), isOpen === true ? 'yes' : 'no', Number(subscriptions), Number(queuedMessages), end]
}

async function optional(request: Promise<Fields>): Promise<Fields | undefined> {
  return request.catch(() => undefined)
}

async function detail(clientId: string): Promise<HTMLElement> {
  const [client, session, queue] = await Promise.all([
    optional(ask('GET', path`clients/${clientId}`)),
    optional(ask('GET', path`sessions/${clientId}`)),
    optional(ask('GET', path`sessions/${clientId}/queue`)),
  ])
  const filters = ((client ?? session)?.['filters'] ?? []) as readonly Fields[]
  const facts = Object.entries({ ...session, ...client })
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => [name, String(value)])
  return element(
    'div',
    {},
    element('p', {}, element('a', { href: '#clients' }, 'All clients')),
    element('h1', {}, `Client ${clientId}`),
    element('section', {}, actions(clientId), table(['', ''], facts, 'There is no such client, and no session of it.')),
    element(
      'section',
      {},
      element('h2', {}, 'Subscriptions'),
      table(
        ['filter', 'QoS'],
        filters.map(({ filter, qos }) => [String(filter), Number(qos)]),
        'None.',
      ),
    ),
    element(
      'section',
      {},
      element('h2', {}, 'Queue'),
      table(['', 'topic', 'QoS', 'payload'], queueRows(queue), 'Empty.'),
    ),
  )
}

function queueRows(queue: Fields | undefined): Content[][] {
  return itemsOf(queue ?? {}).map(({ sequence, message }) => {
    const { topic, qos, preview } = message as Fields
    const bytes = bytesOf(String(preview))
    return [Number(sequence), String(topic), Number(qos), shownPayload(bytes, bestForm(bytes))]
  })
}

/** A button that asks for something, and says that it is done. */
function action(label: string, done: string, request: () => Promise<unknown>, kind = ''): HTMLElement {
  return element(
    'button',
    {
      type: 'button',
      class: kind,
      click: () =>
        attempt(async () => {
          await request()
          tell(done)
        }),
    },
    label,
  )
}

function actions(clientId: string): HTMLElement {
  return element(
    'div',
    { class: 'row' },
    action('Disconnect', 'The connection is closed.', () => ask('DELETE', path`clients/${clientId}`), 'danger'),
    action('End session', 'The session has ended.', () => ask('DELETE', path`sessions/${clientId}`), 'danger'),
    action('Clear queue', 'The queue is empty.', () => ask('DELETE', path`sessions/${clientId}/queue`)),
    action('Trace for 10 min', 'The log shows what it does.', () =>
      ask('POST', path`traces`, { clientId, minutes: 10 }),
    ),
  )
}
