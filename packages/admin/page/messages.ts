import { attempt, element, field, tell } from './dom.ts'
import { PageClient } from './mqtt.ts'
import type { Message } from './mqtt.ts'
import { bestForm, shownPayload } from './payload.ts'
import type { View } from './view.ts'

/** Messages that stay on the page. */
const mostMessages = 200

/** Publishes and subscribes, over a WebSocket of the page's own. */
export const messages: View = {
  title: 'Messages',
  show({ signal }) {
    const received = element('ol', { class: 'log', 'aria-label': 'messages' })
    const client = new LateClient(message => {
      received.prepend(line(message))
      while (received.childElementCount > mostMessages) received.lastElementChild?.remove()
    })
    signal.addEventListener('abort', () => client.close())
    return element(
      'div',
      {},
      element('h1', {}, 'Messages'),
      element(
        'div',
        { class: 'columns' },
        element('section', {}, element('h2', {}, 'Publish'), publishForm(client)),
        element('section', {}, element('h2', {}, 'Subscribe'), subscribeForm(client), received),
      ),
    )
  },
}

/** Connects when it is used first, and again after it was closed. */
class LateClient {
  readonly #heard: (message: Message) => void
  #client: Promise<PageClient> | undefined

  constructor(heard: (message: Message) => void) {
    this.#heard = heard
  }

  async get(): Promise<PageClient> {
    this.#client ??= PageClient.connect(this.#heard, () => {
      this.#client = undefined
    })
    try {
      return await this.#client
    } catch (error) {
      this.#client = undefined
      throw error
    }
  }

  close(): void {
    void this.#client?.then(client => client.close())
  }
}

function line({ topic, payload, retain }: Message): HTMLElement {
  const time = new Date().toLocaleTimeString()
  return element(
    'li',
    {},
    `${time} ${topic}${retain ? ' (retained)' : ''}`,
    element('pre', {}, shownPayload(payload, bestForm(payload))),
  )
}

function publishForm(client: LateClient): HTMLElement {
  const topic = element('input', { required: true, name: 'topic' })
  const payload = element('textarea', { name: 'payload' })
  const retain = element('input', { type: 'checkbox' })
  return element(
    'form',
    {
      'aria-label': 'publish',
      submit: event => {
        event.preventDefault()
        return attempt(async () => {
          const bytes = new TextEncoder().encode(payload.value)
          const connected = await client.get()
          connected.publish({ topic: topic.value, payload: bytes, retain: retain.checked })
          tell(`Published on ${topic.value}.`)
        })
      },
    },
    field('topic', topic),
    field('payload', payload),
    element(
      'div',
      { class: 'row' },
      element('label', { class: 'check' }, retain, 'retain'),
      element('button', { class: 'main' }, 'Publish'),
    ),
  )
}

function subscribeForm(client: LateClient): HTMLElement {
  const filter = element('input', { required: true, name: 'filter', value: '#' })
  const listed = element('div', { class: 'row' })
  return element(
    'form',
    {
      'aria-label': 'subscribe',
      submit: event => {
        event.preventDefault()
        const wanted = filter.value
        return attempt(async () => {
          const connected = await client.get()
          await connected.subscribe(wanted)
          const end = element(
            'button',
            {
              type: 'button',
              click: () => {
                connected.unsubscribe(wanted)
                end.remove()
              },
            },
            `${wanted} ×`,
          )
          listed.append(end)
        })
      },
    },
    element('div', { class: 'row' }, field('filter', filter), element('button', { class: 'main' }, 'Subscribe')),
    listed,
  )
}
