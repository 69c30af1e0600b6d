/** A request that was refused, with the sentence of its problem. */
export class Refused extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, { code = '', title = '', detail = '' }: Readonly<Record<string, string>>) {
    super(title === '' ? `the broker answered ${status}` : `${title}: ${detail}`)
    this.status = status
    this.code = code
  }
}

/** An object as the API sends it. */
export type Fields = Readonly<Record<string, unknown>>

const storage = 'x-broker authorization'

/** What requests bring as `Authorization`; it lasts as long as the tab. */
export const authorization = {
  get value(): string | null {
    return sessionStorage.getItem(storage)
  },
  set value(value: string | null) {
    if (value === null) sessionStorage.removeItem(storage)
    else sessionStorage.setItem(storage, value)
  },
}

/** Asks the API at a URL, whose parts `path` has escaped.
 * @throws Refused */
export async function ask(method: string, url: string, body?: object): Promise<Fields> {
  const response = await request(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return (await response.json()) as Fields
}

async function request(url: string, options: RequestInit): Promise<Response> {
  const headers = new Headers(options.headers)
  headers.set('authorization', authorization.value ?? '')
  const response = await fetch(url, { ...options, headers, redirect: 'error' })
  if (response.ok) return response
  const problem = (await response.json().catch(() => ({}))) as Readonly<Record<string, string>>
  throw new Refused(response.status, problem)
}

/** A path of the API; each value is escaped. */
export function path(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return `/api/v1/${String.raw({ raw: parts }, ...values.map(value => encodeURIComponent(value)))}`
}

/** Calls back for each server-sent event until the signal ends it. `EventSource` can't send a key.
 * @throws Refused */
export async function follow(signal: AbortSignal, heard: (event: string, value: Fields) => void): Promise<void> {
  const response = await request('/api/v1/events', { signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const part = await reader?.read()
    if (part === undefined || part.done) return
    text += part.value
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const [name = '', data = ''] = event.split('\n').map(line => line.slice(line.indexOf(': ') + 2))
      heard(name, JSON.parse(data) as Fields)
    }
  }
}
