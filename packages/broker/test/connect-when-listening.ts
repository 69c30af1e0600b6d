import { connect } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'

const retryMilliseconds = 20

/** A client of a broker that is about to listen and doesn't say when: it tries until the broker does. */
export function connectWhenListening(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = connect(url, { ...options, reconnectPeriod: retryMilliseconds })
  return new Promise((resolve, reject) => {
    client.on('error', error => {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return
      client.end(true)
      reject(error)
    })
    client.once('connect', () => resolve(client))
  })
}
