import { openBroker } from '../host.ts'
import type { AdminHost } from '../host.ts'
import { shownApiAt, shownListenersOf, systemTreeOf } from '../mosquitto-tree.ts'
import { objectOf, schemas, TextResponse } from '../route.ts'
import type { Route } from '../route.ts'

/** What Mosquitto's `http_api` has, as it has it. */
export function mosquittoRoutes(host: AdminHost): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/version',
      role: 'viewer',
      summary: 'The version, as text (as Mosquitto has it)',
      response: schemas.text,
      handle: () => new TextResponse(openBroker(host).version),
    },
    {
      method: 'GET',
      path: '/api/v1/systree',
      role: 'viewer',
      summary: 'The numbers below `$SYS/broker/`, by their topics (as Mosquitto has it)',
      response: schemas.numbers,
      handle: () => systemTreeOf(openBroker(host)),
    },
    {
      method: 'GET',
      path: '/api/v1/listeners',
      role: 'viewer',
      summary: 'Ways in (as Mosquitto has it), with their names and open connections',
      response: objectOf({ listeners: { type: 'array', items: { type: 'object', additionalProperties: true } } }),
      handle: () => ({ listeners: listenersOf(host) }),
    },
  ]
}

function listenersOf(host: AdminHost): object[] {
  return [...shownListenersOf(openBroker(host)), ...(host.url === undefined ? [] : [shownApiAt(host.url)])]
}
