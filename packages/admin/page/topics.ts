import { ask, path } from './api.ts'
import { attempt, element, field, tell } from './dom.ts'
import { bestForm, bytesOf, shownPayload } from './payload.ts'
import type { PayloadForm } from './payload.ts'
import { itemsOf, textOf } from './view.ts'
import type { View } from './view.ts'

/** Messages that are fetched; a filter finds the others. */
const mostTopics = 5000

interface Branch {
  readonly children: Map<string, Branch>
  /** Undefined: no message is retained of it. */
  topic?: string
}

/** Retained messages as a tree, and what they say. */
export const topics: View = {
  title: 'Topics',
  show() {
    const filter = element('input', { value: '#', 'aria-label': 'topic filter' })
    const tree = element('div', {})
    const preview = element('section', {}, element('p', { class: 'soft' }, 'Choose a topic.'))
    const load = (): Promise<void> => attempt(() => showTree(tree, preview, filter.value))
    void load()
    return element(
      'div',
      {},
      element('h1', {}, 'Retained messages'),
      element(
        'form',
        {
          submit: event => {
            event.preventDefault()
            return load()
          },
        },
        element('div', { class: 'row' }, field('filter', filter), element('button', { class: 'main' }, 'Show')),
      ),
      element('div', { class: 'columns' }, element('section', {}, tree), preview),
    )
  },
}

async function showTree(place: HTMLElement, preview: HTMLElement, filter: string): Promise<void> {
  const root: Branch = { children: new Map() }
  let count = 0
  let cursor: unknown
  do {
    const next = typeof cursor === 'string' ? `&cursor=${encodeURIComponent(cursor)}` : ''
    const page = await ask('GET', `${path`retained?limit=1000&filter=${filter}`}${next}`)
    for (const { topic } of itemsOf(page)) plant(root, String(topic))
    count += itemsOf(page).length
    cursor = page['cursor']
  } while (typeof cursor === 'string' && count < mostTopics)
  const isCut = typeof cursor === 'string'
  const more = isCut ? element('p', { class: 'soft' }, `The first ${count} are shown: give a filter for others.`) : null
  place.replaceChildren(
    ...(count === 0
      ? [element('p', { class: 'soft' }, 'No message is retained.')]
      : [branches(root, preview, 0), ...(more === null ? [] : [more])]),
  )
}

function plant(root: Branch, topic: string): void {
  let branch = root
  for (const level of topic.split('/')) {
    let child = branch.children.get(level)
    if (child === undefined) {
      child = { children: new Map() }
      branch.children.set(level, child)
    }
    branch = child
  }
  branch.topic = topic
}

/** Branches are made when they are opened. */
function branches({ children }: Branch, preview: HTMLElement, depth: number): HTMLElement {
  const list = element('ul', depth === 0 ? { class: 'tree' } : {})
  for (const [level, branch] of [...children].sort(([one], [other]) => (one < other ? -1 : 1))) {
    list.append(element('li', {}, ...branchOf(level, branch, preview, depth)))
  }
  return list
}

function branchOf(level: string, branch: Branch, preview: HTMLElement, depth: number): HTMLElement[] {
  const { topic } = branch
  const name = level === '' ? '(empty)' : level
  const leaf =
    topic === undefined
      ? null
      : element('button', { type: 'button', click: () => attempt(() => showMessage(preview, topic)) }, name)
  if (branch.children.size === 0) return leaf === null ? [] : [leaf]
  const details = element('details', {}, element('summary', {}, leaf ?? name))
  const open = (): void => {
    if (details.open && details.childElementCount === 1) details.append(branches(branch, preview, depth + 1))
  }
  details.addEventListener('toggle', open)
  if (depth < 2 && branch.children.size < 50) details.open = true
  return [details]
}

async function showMessage(place: HTMLElement, topic: string): Promise<void> {
  const found = await ask('GET', path`retained/message?topic=${topic}`)
  const { qos, bytes, publisher } = found['message'] as Readonly<Record<string, unknown>>
  const payload = bytesOf(String(found['payload']))
  const text = element('pre', { tabindex: '0' })
  const form = element(
    'select',
    {
      'aria-label': 'form',
      change: () => {
        text.textContent = shownPayload(payload, form.value as PayloadForm)
      },
    },
    ...['text', 'json', 'hex'].map(value => element('option', { value }, value)),
  )
  form.value = bestForm(payload)
  text.textContent = shownPayload(payload, form.value as PayloadForm)
  const remove = element(
    'button',
    {
      type: 'button',
      class: 'danger',
      click: () =>
        attempt(async () => {
          await ask('DELETE', path`retained/message?topic=${topic}`)
          place.replaceChildren(element('p', { class: 'soft' }, 'Removed.'))
          tell(`No message of ${topic} is retained any more.`)
        }),
    },
    'Remove',
  )
  const by = publisher === null ? 'the broker' : textOf(publisher)
  place.replaceChildren(
    element('h2', {}, topic),
    element('p', { class: 'soft' }, `${String(bytes)} bytes, QoS ${String(qos)}, by ${by}`),
    element('div', { class: 'row' }, form, remove),
    text,
  )
}
