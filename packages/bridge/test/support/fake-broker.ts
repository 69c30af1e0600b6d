import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Decoder, encode } from '@x/packet'
import type { ConnectPacket, Packet, ProtocolVersion } from '@x/packet'
import { onTestFinished } from 'vitest'

/** What a broker that a test makes up does with a packet; it answers through `send`, or with bytes on the socket. */
export type Script = (packet: Packet, peer: FakePeer) => void

export interface FakePeer {
  readonly socket: Socket
  readonly version: ProtocolVersion
  send(packet: Packet): void
}

export interface FakeBroker {
  readonly url: string
  /** Every CONNECT that has come. */
  readonly connects: readonly ConnectPacket[]
  /** Every other packet. */
  readonly packets: readonly Packet[]
}

/** A broker that does what a test says, for what real ones never do. */
export async function startFakeBroker(script: Script): Promise<FakeBroker> {
  const connects: ConnectPacket[] = []
  const packets: Packet[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    const decoder = new Decoder()
    let version: ProtocolVersion = 4
    const peer: FakePeer = {
      socket,
      get version() {
        return version
      },
      send: packet => socket.write(encode(packet, version)),
    }
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      for (const packet of decoder.push(chunk)) {
        if (packet.cmd === 'connect') {
          version = packet.protocolVersion ?? 4
          connects.push(packet)
        } else packets.push(packet)
        script(packet, peer)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, connects, packets }
}

/** Accepts everything, and answers as a broker has to. */
export const agreeable: Script = (packet, { send }) => {
  switch (packet.cmd) {
    case 'connect':
      return send({ cmd: 'connack', sessionPresent: false, returnCode: 0, reasonCode: 0 })
    case 'subscribe':
      return send({ cmd: 'suback', messageId: packet.messageId, granted: packet.subscriptions.map(({ qos }) => qos) })
    case 'unsubscribe':
      return send({ cmd: 'unsuback', messageId: packet.messageId, granted: packet.unsubscriptions.map(() => 0) })
    case 'publish':
      if (packet.qos === 1) send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
      if (packet.qos === 2) send({ cmd: 'pubrec', messageId: packet.messageId ?? 0 })
      return undefined
    case 'pubrel':
      return send({ cmd: 'pubcomp', messageId: packet.messageId })
    default:
      return undefined
  }
}
