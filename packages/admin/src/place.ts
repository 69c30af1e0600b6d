/** Listens at an address; `'*'` is every one.
 * @param listen - listens at one that Node knows */
export async function listenAt(host: string, listen: (host: string) => Promise<unknown>): Promise<void> {
  if (host !== '*') {
    await listen(host)
    return
  }
  try {
    await listen('::')
  } catch (error) {
    // There is no IPv6 on this machine.
    if ((error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error
    await listen('0.0.0.0')
  }
}

/** What a browser of this machine can open. */
export function urlOf(host: string, port: number, security: 'plain' | 'tls'): string {
  const shown = host === '*' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `${security === 'tls' ? 'https' : 'http'}://${shown}:${port}`
}
