import type { ConnectPacket } from '@x/packet'
import type { CheckedOptions } from './bridge-options.ts'
import type { Dialect } from './dialect.ts'

const neverExpires = 4_294_967_295

/** CONNECT to the other broker. Of several connections the first, with the number 0, has the bridge's own client identifier and its will. */
export function remoteConnect(options: CheckedOptions, dialect: Dialect, lane: number): ConnectPacket {
  const { clientId, clean, keepAlive, username, password, notifications, notificationTopic } = options
  const { version, bridgeBit, retain, maximumQos } = dialect
  const willQos = maximumQos === 0 ? 0 : 1
  const hasWill = notifications === true && lane === 0
  return {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    ...(bridgeBit && { bridgeMode: true }),
    clientId: lane === 0 ? clientId : `${clientId}.${lane}`,
    clean,
    keepalive: keepAlive,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
    ...(hasWill && { will: { topic: notificationTopic, payload: '0', qos: willQos, retain } }),
    ...(version === 5 && {
      // In Mosquitto's order, since there are programs that compare bytes.
      properties: {
        ...(options.topicAliasMaximum > 0 && { topicAliasMaximum: options.topicAliasMaximum }),
        receiveMaximum: options.receiveMaximum,
        ...(!clean && options.sessionExpiryInterval > 0 && { sessionExpiryInterval: options.sessionExpiryInterval }),
      },
    }),
  }
}

/** CONNECT to this broker.
 * @param receiveMaximum - messages that may be under way to the other one */
export function localConnect(options: CheckedOptions, receiveMaximum: number): ConnectPacket {
  const { localClientId: clientId, localClean: clean } = options
  const sessionExpiryInterval = clean ? 0 : neverExpires
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 5,
    clientId,
    clean,
    keepalive: 0,
    properties: { receiveMaximum, sessionExpiryInterval },
  }
}
