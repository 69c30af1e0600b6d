import { ask, authorization, follow, Refused } from './api.ts'
import type { Fields } from './api.ts'
import { clients } from './clients.ts'
import { element, field, tell } from './dom.ts'
import { log } from './log.ts'
import { messages } from './messages.ts'
import { overview } from './overview.ts'
import { system } from './system.ts'
import { topics } from './topics.ts'
import type { View } from './view.ts'

const views: Readonly<Record<string, View>> = { overview, clients, topics, messages, system, log }

const content = document.getElementById('content') as HTMLElement
const navigation = document.getElementById('navigation') as HTMLElement
const who = document.getElementById('who') as HTMLElement
/** Of the view that is shown. */
let showing = new AbortController()
let listeners = new Map<string, (value: Fields) => void>()
/** Ends the stream of events; undefined: none is open. */
let following: AbortController | undefined

async function show(): Promise<void> {
  showing.abort()
  showing = new AbortController()
  const { signal } = showing
  listeners = new Map()
  const [name = '', subject = ''] = location.hash.slice(1).split('/', 2)
  const view = Object.hasOwn(views, name) ? (views[name] as View) : overview
  if (authorization.value === null) {
    signIn()
    return
  }
  navigation.replaceChildren(
    ...Object.entries(views).map(([key, { title }]) =>
      element('a', { href: `#${key}`, ...(views[key] === view && { 'aria-current': 'page' }) }, title),
    ),
  )
  who.replaceChildren(element('button', { type: 'button', click: signOut }, 'Sign out'))
  try {
    const on = (event: string, heard: (value: Fields) => void): void => void listeners.set(event, heard)
    const shown = await view.show({ subject: decodeURIComponent(subject), signal, on })
    if (signal.aborted) return
    content.replaceChildren(shown)
    void keepFollowing()
  } catch (error) {
    if (error instanceof Refused && error.status === 401) signOut()
    else content.replaceChildren(element('p', { class: 'bad' }, error instanceof Error ? error.message : String(error)))
  }
}

/** Follows the broker for as long as somebody is signed in; after a broker's restart again. */
async function keepFollowing(): Promise<void> {
  if (following !== undefined) return
  const mine = new AbortController()
  following = mine
  while (!mine.signal.aborted) {
    try {
      await follow(mine.signal, (event, value) => listeners.get(event)?.(value))
    } catch (error) {
      if (error instanceof Refused && error.status < 500) break
    }
    await new Promise(resolve => setTimeout(resolve, 2000))
  }
  if (following === mine) following = undefined
}

function signOut(): void {
  following?.abort()
  following = undefined
  authorization.value = null
  void show()
}

function signIn(): void {
  navigation.replaceChildren()
  who.replaceChildren()
  const key = element('input', { type: 'password', autocomplete: 'current-password', name: 'key' })
  const user = element('input', { autocomplete: 'username', name: 'user' })
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const bytes = new TextEncoder().encode(`${user.value}:${key.value}`)
    const basic = btoa(String.fromCharCode(...bytes))
    await enter(user.value === '' ? `Bearer ${key.value}` : `Basic ${basic}`)
  }
  content.replaceChildren(
    element(
      'section',
      {},
      element('h1', {}, 'Sign in'),
      element(
        'form',
        { submit },
        field('user (leave it empty for a key)', user),
        field('key, or password', key),
        element('div', {}, element('button', { class: 'main' }, 'Sign in')),
      ),
    ),
  )
  key.focus()
}

async function enter(header: string): Promise<void> {
  authorization.value = header
  try {
    await ask('GET', '/api/v1/broker')
  } catch (error) {
    authorization.value = null
    tell(error instanceof Error ? error.message : String(error))
  }
  await show()
}

/** A key in the address is taken out of it, so that it does not stay in the history. */
async function begin(): Promise<void> {
  const [, key] = /^#key=(.+)$/.exec(location.hash) ?? []
  if (key === undefined) return show()
  history.replaceState(null, '', location.pathname)
  return enter(`Bearer ${decodeURIComponent(key)}`)
}

addEventListener('hashchange', () => void show())
void begin()
