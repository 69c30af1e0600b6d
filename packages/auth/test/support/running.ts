import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createBroker } from '@x/broker'
import type { Broker } from '@x/broker'
import mqtt from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { AccessControl } from '../../src/index.ts'
import type { AccessOptions } from '../../src/index.ts'

/** A broker with access control, until the test ends. */
export interface Running {
  readonly broker: Broker
  readonly access: AccessControl
  /** Rejects when the client is refused. `prepare` sees it before anything has come. */
  connect(options?: IClientOptions, prepare?: (client: MqttClient) => void): Promise<MqttClient>
}

export async function start(options: AccessOptions): Promise<Running> {
  const access = new AccessControl(options)
  const broker = createBroker({ ...access.hooks })
  onTestFinished(() => broker.close())
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  return {
    broker,
    access,
    connect: (given, prepare) => {
      const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, protocolVersion: 5, ...given })
      onTestFinished(() => void client.end(true))
      prepare?.(client)
      return new Promise((resolve, reject) => {
        client.once('connect', () => resolve(client)).once('error', reject)
      })
    },
  }
}

/** What a server was asked: the JSON of a POST. */
export type Question = Readonly<Record<string, unknown>>

/** An HTTP server until the test ends. */
export interface Served {
  readonly url: string
  readonly questions: Question[]
  close(): Promise<void>
}

/** What of a response ends the test is cut off. */
export async function serve(respond: (question: Question, response: ServerResponse) => void): Promise<Served> {
  const questions: Question[] = []
  const server = createServer((request, response) => {
    void questionOf(request).then(question => {
      questions.push(question)
      respond(question, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  onTestFinished(close)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, questions, close }
}

async function questionOf(request: IncomingMessage): Promise<Question> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string
  return text === '' ? {} : (JSON.parse(text) as Question)
}
