import { lookup } from 'node:dns/promises'
import { mkdirSync, readdirSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { MeshAddress } from './mesh-address.ts'
import { MeshError } from './mesh-error.ts'
import type { MeshSettings } from './mesh-options.ts'

/** What discovery needs, and whom it tells. */
export interface DiscoveryHost {
  readonly settings: Pick<MeshSettings, 'directory' | 'peers' | 'refreshInterval'>
  /** These are all addresses at which there may be peers. */
  found(addresses: readonly MeshAddress[]): void
  failed(place: string, error: MeshError): void
}

/** Where peers may be: listed addresses, all addresses of listed names, all sockets of the directory. */
export class Discovery {
  readonly #host: DiscoveryHost
  #timer: NodeJS.Timeout | undefined
  #watcher: FSWatcher | undefined
  #looking: Promise<void> | undefined
  /** What names had when they were looked up last. */
  readonly #ofNames = new Map<string, readonly MeshAddress[]>()
  #closed = false

  constructor(host: DiscoveryHost) {
    this.#host = host
  }

  /** Looks, and goes on looking. */
  async begin(): Promise<void> {
    const { directory, peers, refreshInterval } = this.#host.settings
    if (directory !== undefined) {
      this.#watcher = watch(directory, { persistent: false }, () => void this.look())
      this.#watcher.on('error', () => undefined)
    }
    if (directory !== undefined || peers.some(({ kind }) => kind === 'dns')) {
      this.#timer = setInterval(() => void this.look(), refreshInterval).unref()
    }
    await this.look()
  }

  close(): void {
    this.#closed = true
    this.#watcher?.close()
    clearInterval(this.#timer)
  }

  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const { directory, peers } = this.#host.settings
    const found: MeshAddress[] = directory === undefined ? [] : this.#socketsIn(directory)
    for (const place of peers) {
      if (place.kind === 'dns') found.push(...(await this.#addressesOf(place.host, place.port)))
      else found.push(place)
    }
    if (!this.#closed) this.#host.found(found)
  }

  #socketsIn(directory: string): MeshAddress[] {
    try {
      const names = readdirSync(directory).filter(name => socketName.test(name))
      return names.map(name => ({ kind: 'unix', path: join(directory, name) }))
    } catch (cause) {
      const message = `the directory ${directory} can't be read: ${String(cause)}`
      this.#host.failed(directory, new MeshError('PEER_UNREACHABLE', { message, cause }))
      return []
    }
  }

  /** While a name can't be looked up, what it had last. */
  async #addressesOf(name: string, port: number): Promise<readonly MeshAddress[]> {
    const key = `${name}:${port}`
    try {
      const answers = await lookup(name, { all: true })
      const addresses = answers.map(({ address }) => ({ kind: 'tcp', host: address, port }) as const)
      this.#ofNames.set(key, addresses)
      return addresses
    } catch (cause) {
      const message = `the name ${name} can't be looked up: ${String(cause)}`
      this.#host.failed(`dns:${key}`, new MeshError('PEER_UNREACHABLE', { message, cause }))
      return this.#ofNames.get(key) ?? []
    }
  }
}

const socketName = /^mesh-[\da-f]{16}\.sock$/

/** A socket in the directory, which is made if it isn't there.
 * @throws MeshError `LISTEN_FAILED` */
export function ownSocketIn(directory: string): MeshAddress {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new MeshError('LISTEN_FAILED', {
      message: `the directory ${directory} can't be made: ${String(cause)}`,
      cause,
    })
  }
  return { kind: 'unix', path: join(directory, `mesh-${randomBytes(8).toString('hex')}.sock`) }
}
