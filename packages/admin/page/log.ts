import { ask } from './api.ts'
import type { Fields } from './api.ts'
import { element } from './dom.ts'
import { itemsOf } from './view.ts'
import type { View } from './view.ts'

const mostLines = 500

/** The last lines of the log, and those that come. */
export const log: View = {
  title: 'Log',
  async show(context) {
    const lines = element('ol', { class: 'log', 'aria-label': 'log' })
    const add = (line: Fields): void => {
      lines.prepend(shown(line))
      while (lines.childElementCount > mostLines) lines.lastElementChild?.remove()
    }
    for (const line of itemsOf(await ask('GET', '/api/v1/log'))) add(line)
    context.on('log', add)
    return element('div', {}, element('h1', {}, 'Log'), element('section', {}, lines))
  },
}

function shown({ time, level, text }: Fields): HTMLElement {
  const when = new Date(Number(time)).toLocaleTimeString()
  return element('li', { class: String(level) }, `${when} ${String(level).padEnd(5)} ${String(text)}`)
}
