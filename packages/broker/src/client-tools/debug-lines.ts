import type { Packet } from 'mqtt-packet'

/** What `-d` shows of a packet that is sent; empty: nothing. */
export function sentLines(packet: Packet): readonly string[] {
  switch (packet.cmd) {
    case 'connect':
    case 'disconnect':
    case 'pingreq':
      return [`sending ${packet.cmd.toUpperCase()}`]
    case 'publish':
      return [`sending PUBLISH ${publishText(packet)}`]
    case 'puback':
    case 'pubrec':
    case 'pubcomp':
      return [`sending ${packet.cmd.toUpperCase()} (m${packet.messageId}, rc${packet.reasonCode ?? 0})`]
    case 'pubrel':
      return [`sending PUBREL (m${packet.messageId})`]
    case 'subscribe':
      return packet.subscriptions.map(({ topic, qos, rap, nl, rh = 0 }) => {
        const options = (nl === true ? 4 : 0) | (rap === true ? 8 : 0) | (rh << 4)
        const shown = `0x${options.toString(16).padStart(2, '0')}`
        return `sending SUBSCRIBE (Mid: ${packet.messageId}, Topic: ${topic}, QoS: ${qos}, Options: ${shown})`
      })
    case 'unsubscribe':
      return packet.unsubscriptions.map(topic => `sending UNSUBSCRIBE (Mid: ${packet.messageId}, Topic: ${topic})`)
    default:
      return []
  }
}

/** What `-d` shows of a packet that is received; undefined: nothing. */
export function receivedLine(packet: Packet): string | undefined {
  switch (packet.cmd) {
    case 'connack':
      return `received CONNACK (${packet.reasonCode ?? packet.returnCode ?? 0})`
    case 'publish':
      return `received PUBLISH ${publishText(packet)}`
    case 'puback':
    case 'pubcomp':
      return `received ${packet.cmd.toUpperCase()} (Mid: ${packet.messageId}, RC:${packet.reasonCode ?? 0})`
    case 'pubrec':
    case 'pubrel':
      return `received ${packet.cmd.toUpperCase()} (Mid: ${packet.messageId})`
    case 'suback':
    case 'unsuback':
    case 'pingresp':
      return `received ${packet.cmd.toUpperCase()}`
    case 'disconnect':
      return `received DISCONNECT (${packet.reasonCode ?? 0})`
    default:
      return undefined
  }
}

function publishText({ dup, qos, retain, messageId = 0, topic, payload }: Extract<Packet, { cmd: 'publish' }>): string {
  const bytes = Buffer.byteLength(payload)
  return `(d${Number(dup)}, q${qos}, r${Number(retain)}, m${messageId}, '${topic}', ... (${bytes} bytes))`
}
