import { toError } from '../ground/broker-error.ts'
import type { ClientConnection } from '../connect/client-connection.ts'
import { isControlTopic } from '../hooks/control-endpoint.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import type { MaybePromise } from '@x/contract'
import type { Publication } from '../message/publication.ts'

/** What is returned where nobody executes a command. Clients look for this text. */
const unavailable = JSON.stringify({ error: 'endpoint not available' })

/** Whether the message is a command for the broker, which is executed and not routed. */
export function isCommand({ engine, client }: ClientConnection, topic: string): boolean {
  return engine.controlEndpoints !== undefined && isControlTopic(topic) && !client.trusted
}

/** Executes a command, and publishes its response. Nothing is thrown or rejected. */
export function execute({ engine, client }: ClientConnection, { topic, payload }: Publication): MaybePromise<void> {
  const endpoint = engine.controlEndpoints?.get(topic)
  const response = `${topic}/response`
  return recover(
    () =>
      endpoint === undefined
        ? client.publish({ topic: response, payload: unavailable })
        : after(endpoint.execute(client, payload), answer =>
            answer === undefined ? undefined : engine.broker.publish({ topic: response, payload: answer }),
          ),
    error => engine.broker.reportClientError(client, toError(error)),
  )
}
