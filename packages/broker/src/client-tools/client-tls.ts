import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions, SecureVersion } from 'node:tls'
import type { Flags } from './flags.ts'
import { ToolError, wrongUsage } from './tool-error.ts'

/** Options of a TLS connection, but for where it goes. */
export type ClientTls = ConnectionOptions

const versions: Readonly<Record<string, SecureVersion>> = { 'tlsv1.2': 'TLSv1.2', 'tlsv1.3': 'TLSv1.3' }

/** Undefined: no TLS.
 * @throws ToolError */
export function tlsOf(flags: Flags, { isWanted }: { readonly isWanted: boolean }): ClientTls | undefined {
  const [cert, key] = [flags.text('cert'), flags.text('key')]
  if ((cert === undefined) !== (key === undefined))
    throw wrongUsage('Both certfile and keyfile must be provided if one of them is set.')
  const [psk, identity] = [flags.text('psk'), flags.text('pskIdentity')]
  const hasAuthority = flags.has('cafile') || flags.has('capath')
  if (psk !== undefined && hasAuthority) throw wrongUsage('Only one of --psk or --cafile/--capath may be used at once.')
  if (psk !== undefined && identity === undefined) throw wrongUsage('--psk-identity required if --psk used.')
  if (!isWanted && !hasAuthority && !flags.has('osCerts') && psk === undefined) return undefined
  const authorities = authoritiesOf(flags)
  const [ciphers, alpn] = [flags.text('ciphers'), flags.text('alpn')]
  return {
    ...(cert !== undefined && { cert: contents(cert) }),
    ...(key !== undefined && { key: contents(key) }),
    ...(authorities.length > 0 && { ca: authorities }),
    ...(ciphers !== undefined && { ciphers }),
    ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
    ...versionOf(flags),
    ...(flags.has('insecure') && { checkServerIdentity: () => undefined }),
    ...(psk !== undefined && identity !== undefined && sharedKey(psk, identity)),
  }
}

function versionOf(flags: Flags): Pick<ClientTls, 'minVersion' | 'maxVersion'> {
  const text = flags.text('tlsVersion')
  if (text === undefined) return {}
  const version = Object.hasOwn(versions, text) ? versions[text] : undefined
  if (version === undefined)
    throw new ToolError(
      `Error: Problem setting TLS options, --tls-version is '${text}', it must be tlsv1.2 or tlsv1.3.`,
    )
  return { minVersion: version, maxVersion: version }
}

/** Node.js has pre-shared keys with TLS 1.2 alone. */
function sharedKey(psk: string, identity: string): ClientTls {
  if (!/^([\da-f]{2})+$/i.test(psk)) throw wrongUsage('--psk must be a key in hexadecimal digits.')
  return {
    pskCallback: () => ({ psk: Buffer.from(psk, 'hex'), identity }),
    checkServerIdentity: () => undefined,
    ciphers: 'PSK',
    maxVersion: 'TLSv1.2',
  }
}

function authoritiesOf(flags: Flags): Buffer[] {
  const [file, directory] = [flags.text('cafile'), flags.text('capath')]
  return [
    ...(file === undefined ? [] : [contents(file)]),
    ...(directory === undefined ? [] : filesOf(directory).map(contents)),
  ]
}

function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory).map(name => join(directory, name))
  } catch (cause) {
    throw unreadable(cause)
  }
}

function contents(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw unreadable(cause)
  }
}

function unreadable(cause: unknown): ToolError {
  const { code, message } = cause as NodeJS.ErrnoException
  return new ToolError(`Error: Problem setting TLS options: ${code === 'ENOENT' ? 'File not found' : message}.`)
}
