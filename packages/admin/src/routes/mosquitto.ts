import type { RetainedPage } from '@x/contract'
import { inspectionOf, openBroker } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { objectOf, schemas, TextResponse } from '../route.ts'
import type { Route } from '../route.ts'

/** What Mosquitto's `http_api` has, as it has it. */
export function mosquittoRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/version',
      role: 'viewer',
      summary: 'The version, as text (as Mosquitto has it)',
      response: schemas.text,
      handle: () => new TextResponse(openBroker(host).version),
    },
    {
      method: 'GET',
      path: '/api/v1/systree',
      role: 'viewer',
      summary: 'The numbers below `$SYS/broker/`, by their topics (as Mosquitto has it)',
      response: schemas.numbers,
      handle: () => systemTree(host),
    },
    {
      method: 'GET',
      path: '/api/v1/listeners',
      role: 'viewer',
      summary: 'Ways in (as Mosquitto has it), with their names and open connections',
      response: objectOf({ listeners: { type: 'array', items: { type: 'object', additionalProperties: true } } }),
      handle: () => ({ listeners: listenersOf(host) }),
    },
  ]
}

/** Load averages, which have fractions, are not in Mosquitto's either. */
async function systemTree(host: AdminHost): Promise<object> {
  const tree: Record<string, number> = {}
  let page: RetainedPage | undefined = await inspectionOf(host).retained('$SYS/broker/#')
  while (page !== undefined) {
    for (const message of page) {
      const text = message?.payload.toString() ?? ''
      const [, digits] = /^(\d+)(?: seconds)?$/.exec(text) ?? []
      if (message !== undefined && digits !== undefined) tree[message.topic] = Number(digits)
    }
    page = await page.more?.()
  }
  return tree
}

function listenersOf(host: AdminHost): object[] {
  const { listenerStatus = [] } = openBroker(host)
  const served = listenerStatus.flatMap(({ name, urls, connections, tls, mutualTls: mtls }) =>
    urls.map(url => {
      const isWeb = url.startsWith('ws')
      return { ...placeOf(url), protocol: isWeb ? 'websockets' : 'mqtt', tls, mtls, name, connections }
    }),
  )
  const own = host.url === undefined ? [] : [{ ...placeOf(host.url), protocol: 'httpapi', tls: isSecure(host.url) }]
  return [...served, ...own]
}

function placeOf(url: string): object {
  const [scheme = '', place = ''] = url.split('://', 2)
  if (scheme.endsWith('+unix')) return { path: place }
  const { port } = new URL(url)
  return { port: Number(port) }
}

function isSecure(url: string): boolean {
  return url.startsWith('https:')
}
