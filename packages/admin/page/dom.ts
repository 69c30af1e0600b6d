/** What an element may contain: text always stays text. */
export type Content = Node | string | number | null | undefined | false

/** Makes an element. Attributes whose value is a function are listeners; no text ever becomes markup. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string | boolean | ((event: Event) => unknown)>> = {},
  ...contents: readonly Content[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(key, event => void value(event))
    else if (value === true) made.setAttribute(key, '')
    else if (value !== false) made.setAttribute(key, value)
  }
  made.append(...nodesOf(contents))
  return made
}

function nodesOf(contents: readonly Content[]): (Node | string)[] {
  return contents.flatMap(content =>
    content === null || content === undefined || content === false
      ? []
      : [typeof content === 'number' ? String(content) : content],
  )
}

/** A table with a row of headings; what is a number stands to the right. */
export function table(headings: readonly string[], rows: readonly (readonly Content[])[], empty: string): HTMLElement {
  if (rows.length === 0) return element('p', { class: 'soft' }, empty)
  const isNumber = headings.map((_, index) => typeof rows[0]?.[index] === 'number')
  const place = (index: number): Record<string, string> => (isNumber[index] === true ? { class: 'number' } : {})
  return element(
    'div',
    { class: 'scroll' },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...headings.map((text, index) => element('th', place(index), text)))),
      element(
        'tbody',
        {},
        ...rows.map(row =>
          element('tr', {}, ...row.map((content, index) => element('td', place(index), shown(content)))),
        ),
      ),
    ),
  )
}

function shown(content: Content): Content {
  return typeof content === 'number' ? content.toLocaleString('en') : content
}

/** ms that a notice is shown. */
const shownFor = 12_000

/** Says something to the user for some seconds. */
export function tell(text: string): void {
  const line = element('p', {}, text)
  document.getElementById('notice')?.append(line)
  setTimeout(() => line.remove(), shownFor)
}

/** Does something that may fail, and says why it did. */
export async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error))
  }
}

/** A field of a form with its label. */
export function field(label: string, control: HTMLElement): HTMLLabelElement {
  return element('label', {}, label, control)
}
