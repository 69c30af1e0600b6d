import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A way to a Redis on which what is asked can be held up. */
export class DelayingLink {
  readonly url: string
  readonly #server: Server
  readonly #clients = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', client => {
      const redis = connect(port, '127.0.0.1')
      this.#clients.add(client)
      for (const socket of [client, redis]) socket.on('error', () => undefined)
      client.pipe(redis).pipe(client)
    })
  }

  static async to({ port }: { readonly port: number }): Promise<DelayingLink> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new DelayingLink(server, port)
  }

  hold(): void {
    for (const client of this.#clients) client.pause()
  }

  release(): void {
    for (const client of this.#clients) client.resume()
  }

  close(): void {
    for (const client of this.#clients) client.destroy()
    this.#server.close()
  }
}
