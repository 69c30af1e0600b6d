import type { IClientPublishOptions } from 'mqtt'
import type { IPublishPacket } from 'mqtt-packet'
import { checkedTopic, clientSettings } from './client-settings.ts'
import type { ClientSettings } from './client-settings.ts'
import type { Flags } from './flags.ts'
import { MessagePrinter } from './message-printer.ts'
import { payloadSource } from './payload-source.ts'
import { timedOutCode, timeoutOf } from './subscribe-tool.ts'
import { ToolClient } from './tool-client.ts'
import type { ToolOutput } from './tool-client.ts'
import { wrongUsage } from './tool-error.ts'

interface Request {
  readonly topic: string
  readonly responseTopic: string
  readonly payload: Buffer
  /** A retained message is no response to this request. */
  readonly ignoresRetained: boolean
}

/** `x-broker rr`: publishes a request and prints the response. Returns the exit code.
 * @throws ToolError */
export async function requestTool(flags: Flags, output: ToolOutput): Promise<number> {
  const settings = clientSettings(flags)
  const topic = flags.text('topic') ?? settings.topicOfUrl
  const responseTopic = flags.text('responseTopic')
  const source = payloadSource(flags)
  const printer = new MessagePrinter(flags, output)
  const timeout = timeoutOf(flags)
  if (topic === undefined || source?.kind !== 'one' || responseTopic === undefined)
    throw wrongUsage('All of topic, message, and response topic must be supplied.')
  const request: Request = {
    topic: checkedTopic(topic, 'publish'),
    responseTopic: checkedTopic(responseTopic, 'response'),
    payload: await source.read(),
    ignoresRetained: flags.has('noRetained'),
  }
  const client = new ToolClient(settings, output)
  const late = new Promise<undefined>(resolve => {
    if (timeout !== undefined) setTimeout(resolve, timeout, undefined).unref()
  })
  const response = await Promise.race([exchange(client, settings, request), late])
  if (response === undefined) {
    if (!settings.isQuiet) output.error('Timed out\n')
    client.drop()
    return timedOutCode
  }
  printer.print(response)
  await client.end()
  return 0
}

/** Settles with the first response. */
async function exchange(
  client: ToolClient,
  settings: ClientSettings,
  request: Request,
): Promise<{ payload: Buffer; packet: IPublishPacket; receivedAt: number }> {
  const { mqtt } = client
  await client.connect()
  const response = new Promise<{ payload: Buffer; packet: IPublishPacket; receivedAt: number }>(resolve => {
    mqtt.on('message', (_, payload, packet) => {
      if (request.ignoresRetained && packet.retain) return
      resolve({ payload, packet, receivedAt: performance.timeOrigin + performance.now() })
    })
  })
  const { qos, version, properties } = settings
  const options = { qos, ...(version === 5 && { properties: properties.subscribe }) }
  await mqtt.subscribeAsync(request.responseTopic, options)
  const publishOptions: IClientPublishOptions = {
    qos,
    ...(version === 5 && { properties: { ...properties.publish, responseTopic: request.responseTopic } }),
  }
  mqtt.publish(request.topic, request.payload, publishOptions)
  return Promise.race([response, client.lost()])
}
