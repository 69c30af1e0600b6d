import type { MaybePromise } from '@x/contract'
import { FilterList, PacketError, decodeControl } from '@x/packet'
import type { FrameReader, Packet } from '@x/packet'
import { receiveAck } from './acknowledge.ts'
import { receiveReauthentication } from '../connect/authentication.ts'
import { BrokerError } from '../ground/broker-error.ts'
import type { ClientConnection } from '../connect/client-connection.ts'
import { receiveDisconnect } from './disconnect.ts'
import { receivePublish } from './publish.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { receiveSubscribe } from './subscribe.ts'
import { receiveUnsubscribe } from './unsubscribe.ts'

const publish = 3
const subscribe = 8
const unsubscribe = 10
const pingreq = 12
/** With the empty fields that mqtt-packet's decoder gives it. */
const pingreqPacket = {
  cmd: 'pingreq',
  retain: false,
  qos: 0,
  dup: false,
  length: 0,
  topic: null,
  payload: null,
} as const
const pingrespFrame: Buffer = Buffer.of(0xd0, 0)

/** Has one packet of a connected client take effect. A promise: the next packet waits for it.
 * @throws PacketError, TopicError, BrokerError when the client has violated the protocol or a limit */
export function receivePacket(connection: ClientConnection, reader: FrameReader): MaybePromise<void> {
  const type = reader.header >> 4
  if (type === publish) return receivePublish(connection, reader)
  connection.engine.run.flush()
  const { maximumConnectPacketSize } = connection.engine.options
  if (connection.version === 5 && reader.frameEnd - reader.frameStart > maximumConnectPacketSize)
    checkSize(reader, maximumConnectPacketSize)
  if (type > publish && type < 8) return receiveAck(connection, reader)
  if (type === pingreq) return receivePingreq(connection)
  if (type === subscribe) return receiveSubscribe(connection, filterList(connection, reader))
  if (type === unsubscribe) return receiveUnsubscribe(connection, filterList(connection, reader))
  return receiveControl(connection, decodeControl(reader.frame(), connection.version, connection.engine.frameSettings))
}

/** Limits packets without message and filters, whose properties are read at once: a large one is an attack.
 * @throws PacketError `PACKET_TOO_LARGE` */
function checkSize({ header, source, frameStart, bodyStart, frameEnd }: FrameReader, limit: number): void {
  const type = header >> 4
  const isList = type === subscribe || type === unsubscribe
  // Behind the packet identifier of 2 bytes.
  const size = isList ? propertyLength(source, bodyStart + 2, frameEnd) : frameEnd - frameStart
  if (size <= limit) return
  const message = `${isList ? 'properties' : 'a packet without message and filters'} of ${size} bytes exceed maximumConnectPacketSize of ${limit} bytes`
  throw new PacketError('PACKET_TOO_LARGE', { message, offset: 1 })
}

/** Reads a variable byte integer; the packet's decoder checks it. */
function propertyLength(source: Buffer, start: number, end: number): number {
  let value = 0
  for (let digit = 0; digit < 4 && start + digit < end; digit += 1) {
    const byte = source[start + digit] ?? 0
    value += (byte & 0x7f) * 128 ** digit
    if (byte < 0x80) break
  }
  return value
}

function filterList({ version, engine }: ClientConnection, reader: FrameReader): FilterList {
  return new FilterList(reader.frame(), version, engine.frameSettings)
}

function receivePingreq(connection: ClientConnection): void {
  connection.outbox.append(pingrespFrame)
  const { broker, counters } = connection.engine
  counters.controlPacketsSent += 1
  if (broker.listenerCount('ping') > 0) broker.emit('ping', { ...pingreqPacket }, connection.client)
}

function receiveControl(connection: ClientConnection, packet: Packet): MaybePromise<void> {
  switch (packet.cmd) {
    case 'disconnect':
      return receiveDisconnect(connection, packet)
    case 'auth':
      return receiveReauthentication(connection, packet)
    case 'connect':
      // [MQTT5-3.1.0-2]
      throw new BrokerError('SECOND_CONNECT', {
        message: 'Invalid protocol',
        detail: 'a second CONNECT on one connection',
        reasonCode: ReasonCode.protocolError,
        info: packet,
      })
    default:
      throw new BrokerError('PACKET_NOT_ALLOWED', {
        message: 'Invalid protocol',
        detail: `${packet.cmd.toUpperCase()} from a client`,
        reasonCode: ReasonCode.protocolError,
        info: packet,
      })
  }
}
