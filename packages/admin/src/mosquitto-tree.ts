import type { PluggableBroker, RetainedPage } from '@x/contract'

/** The numbers below `$SYS/broker/` by their topics, as Mosquitto's `http_api` has them. Load averages, which have fractions, are not in
 * Mosquitto's either. */
export async function systemTreeOf({ inspection }: PluggableBroker): Promise<Record<string, number>> {
  const tree: Record<string, number> = {}
  let page: RetainedPage | undefined = await inspection?.retained('$SYS/broker/#')
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

/** Ways in as Mosquitto's `http_api` has them, with their names and open connections. */
export function shownListenersOf({ listenerStatus = [] }: PluggableBroker): ({ readonly name: string } & object)[] {
  return listenerStatus.flatMap(({ name, urls, connections, tls, mutualTls: mtls }) =>
    urls.map(url => {
      const isWeb = url.startsWith('ws')
      return { ...placeOf(url), protocol: isWeb ? 'websockets' : 'mqtt', tls, mtls, name, connections }
    }),
  )
}

/** An API as one of them. */
export function shownApiAt(url: string): object {
  return { ...placeOf(url), protocol: 'httpapi', tls: url.startsWith('https:') }
}

function placeOf(url: string): object {
  const [scheme = '', place = ''] = url.split('://', 2)
  if (scheme.endsWith('+unix')) return { path: place }
  // A URL has no port where it is that of its scheme.
  const { port } = new URL(url)
  return { port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port) }
}
