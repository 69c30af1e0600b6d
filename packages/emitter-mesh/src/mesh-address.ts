import { isIP } from 'node:net'
/** Where a broker is reached by the others. */
export type MeshAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** Where others are looked for: an address, or all addresses of a name. */
export type PeerPlace = MeshAddress | { readonly kind: 'dns'; readonly host: string; readonly port: number }

/** Bytes of a Unix socket's path that every system takes. */
const maximumPath = 100
const greatestPort = 65_535

/** `unix:PATH`, `/PATH`, `HOST:PORT`, `[IPv6]:PORT`. Undefined: it is none of these. */
export function parseAddress(text: string): MeshAddress | undefined {
  const path = text.startsWith('/') ? text : /^unix:(.+)$/.exec(text)?.[1]
  if (path !== undefined) return isSocketPath(path) ? { kind: 'unix', path } : undefined
  const [, ipv6, name, digits = ''] = /^(?:\[([\da-fA-F:.%\w]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text) ?? []
  const host = ipv6 ?? name
  const port = Number(digits)
  if (host === undefined || port > greatestPort) return undefined
  return { kind: 'tcp', host, port }
}

/** The same, or `dns:NAME:PORT`. */
export function parsePeer(text: string): PeerPlace | undefined {
  const isName = text.startsWith('dns:')
  const address = parseAddress(isName ? text.slice(4) : text)
  if (address?.kind === 'tcp' && address.port === 0) return undefined
  if (!isName) return address
  return address?.kind === 'tcp' ? { ...address, kind: 'dns' } : undefined
}

/** Whether the path of a Unix socket is one that every system takes. */
export function isSocketPath(path: string): boolean {
  return path.length > 0 && !path.includes('\0') && Buffer.byteLength(path) <= maximumPath
}

/** The address as it is written; the same for the same address. */
export function addressText(address: MeshAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** Whether an address means all addresses of this machine, and none that others could connect to. */
export function isAnyHost(host: string): boolean {
  return isIP(host) !== 0 && /^[0:.]+$/.test(host)
}
