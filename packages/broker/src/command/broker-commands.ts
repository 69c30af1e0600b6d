import { DynamicSecurity, runCommands } from '@x/auth'
import type { CommandFunction } from '@x/auth'
import type { ControlEndpoint } from '@x/broker-core'

/** A way in, as its configuration and the operating system have it. */
export interface ShownListener {
  readonly protocols: readonly string[]
  readonly port: number | undefined
  readonly address: string | undefined
  readonly socketPath: string | undefined
}

/** What the commands show. */
export interface BrokerCommandsHost {
  /** Addresses that are listened on. */
  readonly shownListeners: readonly ShownListener[]
  readonly dynamicSecurity: DynamicSecurity | undefined
  readonly version: string
}

const topic = '$CONTROL/broker/v1'

/** Mosquitto's commands about the broker itself, with their topic.
 * @param failed gets what no command should throw */
export function brokerCommands(
  host: BrokerCommandsHost,
  failed: (error: unknown) => void,
): readonly (readonly [topic: string, endpoint: ControlEndpoint])[] {
  const commands = new Map<string, CommandFunction>([
    ['listlisteners', () => ({ listeners: host.shownListeners.map(shown) })],
    ['listplugins', () => ({ plugins: pluginsOf(host) })],
  ])
  const execute: ControlEndpoint['execute'] = async (_client, payload) =>
    JSON.stringify({ responses: await runCommands(Buffer.from(payload), commands, failed) })
  return [[topic, { execute }]]
}

function shown({ protocols, port, address, socketPath }: ShownListener): object {
  return {
    // Mosquitto has this number for a Unix socket.
    port: port ?? 0,
    protocol: protocols.some(one => one === 'mqtt' || one === 'mqtts') ? 'mqtt' : 'mqtt+websockets',
    ...(address !== undefined && { 'bind-address': address }),
    ...(socketPath !== undefined && { 'socket-path': socketPath }),
    tls: protocols.some(one => one === 'mqtts' || one === 'wss'),
  }
}

/** What plugins do for Mosquitto is built in here; clients find its commands by this list. */
function pluginsOf({ dynamicSecurity, version }: BrokerCommandsHost): object[] {
  if (dynamicSecurity === undefined) return []
  return [{ name: 'dynamic-security', version, 'control-endpoints': [DynamicSecurity.topic] }]
}
