import { ask } from './api.ts'

/** A message that has come. */
export interface Message {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: number
  readonly retain: boolean
}

const keepAliveSeconds = 60

/** As much of an MQTT 3.1.1 client as a page needs: it publishes and subscribes at QoS 0. */
export class PageClient {
  readonly #socket: WebSocket
  readonly #heard: (message: Message) => void
  #received = new Uint8Array()
  #ready: (() => void) | undefined
  #packetId = 0
  readonly #timer: number
  /** By packet identifier: called with whether the SUBSCRIBE was granted. */
  readonly #waiting = new Map<number, (isGranted: boolean) => void>()

  private constructor(url: string, heard: (message: Message) => void) {
    this.#heard = heard
    this.#socket = new WebSocket(url, 'mqtt')
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('message', ({ data }) => this.#take(new Uint8Array(data as ArrayBuffer)))
    this.#timer = setInterval(() => this.#send(0xc0, []), keepAliveSeconds * 500)
  }

  /** @throws Refused without the right to it, Error when the WebSocket fails */
  static async connect(heard: (message: Message) => void, ended: () => void): Promise<PageClient> {
    const { ticket } = await ask('POST', '/api/v1/tickets')
    const url = `${location.origin.replace('http', 'ws')}/mqtt?ticket=${String(ticket)}`
    const client = new PageClient(url, heard)
    await new Promise<void>((resolve, reject) => {
      client.#ready = resolve
      client.#socket.addEventListener('open', () => client.#connect())
      client.#socket.addEventListener('close', () => {
        clearInterval(client.#timer)
        reject(new Error('the connection was closed'))
        ended()
      })
    })
    return client
  }

  publish(message: Pick<Message, 'topic' | 'payload' | 'retain'>): void {
    this.#send(0x30 | (message.retain ? 1 : 0), [...stringOf(message.topic), ...message.payload])
  }

  /** Resolves when the broker has granted it; rejects when it does not. */
  async subscribe(filter: string): Promise<void> {
    const id = this.#nextId()
    const isGranted = new Promise<boolean>(resolve => this.#waiting.set(id, resolve))
    this.#send(0x82, [id >> 8, id & 0xff, ...stringOf(filter), 0])
    if (!(await isGranted)) throw new Error(`the broker refused ${filter}`)
  }

  unsubscribe(filter: string): void {
    const id = this.#nextId()
    this.#send(0xa2, [id >> 8, id & 0xff, ...stringOf(filter)])
  }

  close(): void {
    this.#socket.close()
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1
    return this.#packetId
  }

  #connect(): void {
    const id = `dashboard-${Array.from(crypto.getRandomValues(new Uint8Array(6)), byte => byte.toString(16)).join('')}`
    this.#send(0x10, [...stringOf('MQTT'), 4, 2, 0, keepAliveSeconds, ...stringOf(id)])
  }

  #send(first: number, body: readonly number[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    const length: number[] = []
    for (let rest = body.length; length.length === 0 || rest > 0; rest >>= 7) {
      length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
    }
    this.#socket.send(Uint8Array.of(first, ...length, ...body))
  }

  /** A frame may have a part of a packet, or several. */
  #take(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#received.length + bytes.length)
    all.set(this.#received)
    all.set(bytes, this.#received.length)
    let start = 0
    for (;;) {
      let length = 0
      let place = start + 1
      for (let shift = 0; ; shift += 7, place += 1) {
        const byte = all[place]
        if (byte === undefined) return this.#keep(all.subarray(start))
        length |= (byte & 0x7f) << shift
        if (byte < 0x80) break
      }
      const end = place + 1 + length
      if (end > all.length) return this.#keep(all.subarray(start))
      this.#packet(all[start] ?? 0, all.subarray(place + 1, end))
      start = end
    }
  }

  #keep(rest: Uint8Array): void {
    this.#received = rest.slice()
  }

  #packet(first: number, body: Uint8Array): void {
    const type = first >> 4
    if (type === 2) this.#ready?.()
    else if (type === 3) this.#message(first, body)
    else if (type === 9) this.#waiting.get(numberAt(body, 0))?.((body[2] ?? 0x80) < 0x80)
  }

  #message(first: number, body: Uint8Array): void {
    const end = 2 + numberAt(body, 0)
    const topic = new TextDecoder().decode(body.subarray(2, end))
    this.#heard({ topic, payload: body.slice(end), qos: (first >> 1) & 3, retain: (first & 1) === 1 })
  }
}

function numberAt(bytes: Uint8Array, place: number): number {
  return ((bytes[place] ?? 0) << 8) | (bytes[place + 1] ?? 0)
}

function stringOf(text: string): number[] {
  const bytes = new TextEncoder().encode(text)
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes]
}
