import { createHash, randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instance, Instances } from './instances.ts'
import { News } from './news.ts'
import type { Hint } from './news.ts'

/** Bytes of a Unix socket's path that every system takes. */
const maximumAddress = 100

/** The other brokers that have the directory open, as far as they have been heard of. */
export class Neighbours {
  readonly #instances: Instances
  readonly #news: News
  #others: readonly Instance[] = []

  constructor(instances: Instances, received: (hint: Hint) => void) {
    this.#instances = instances
    this.#news = new News(received)
  }

  /** Returns the address at which this broker hears of the others. */
  async open(directory: string): Promise<string> {
    const address = addressIn(directory)
    await this.#news.open(address)
    return address
  }

  /** Looks who is there. */
  refresh(): void {
    const { own } = this.#instances
    this.#others = [...this.#instances.all()].filter(({ number, state }) => number !== own && state === 'open')
  }

  get isAlone(): boolean {
    return this.#others.length === 0
  }

  /** Tells the broker that has a session open that there is something to see. */
  tellOwner(instance: number, clientId: string): void {
    if (instance === this.#instances.own || instance === 0) return
    if (!this.#others.some(({ number }) => number === instance)) this.refresh()
    const owner = this.#others.find(({ number }) => number === instance)
    if (owner !== undefined) this.#news.tell(owner.address, ['session', clientId])
  }

  /** Members of the group may be anywhere. */
  tellGroup(name: string, publisher: string | undefined): void {
    for (const { address } of this.#others) this.#news.tell(address, ['group', name, publisher ?? null])
  }

  async close(): Promise<void> {
    await this.#news.close()
  }
}

/** In the directory, which is this user's alone, unless its path is too long for a socket. */
function addressIn(directory: string): string {
  const name = randomBytes(8).toString('hex')
  if (process.platform === 'win32') return `\\\\.\\pipe\\x-broker-${name}`
  const inside = join(directory, `news-${name}.sock`)
  if (Buffer.byteLength(inside) <= maximumAddress) return inside
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 8)
  return join(tmpdir(), `x-broker-${hash}-${name}.sock`)
}
