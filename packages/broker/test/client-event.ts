import type { MqttClient, MqttClientEventCallbacks } from 'mqtt'

/** The arguments of the client's next event of this name. */
export function clientEvent<Name extends keyof MqttClientEventCallbacks>(
  client: MqttClient,
  name: Name,
): Promise<Parameters<MqttClientEventCallbacks[Name]>> {
  return new Promise(resolve => {
    const listener = (...values: Parameters<MqttClientEventCallbacks[Name]>): void => resolve(values)
    client.once(name, listener as MqttClientEventCallbacks[Name])
  })
}
