// This broker or Aedes with an `authorizePublish` that lets everything pass: BROKER STYLE PORT.
import { createServer } from 'node:net'
import { createBroker } from '@x/broker'
import type { BrokerOptions } from '@x/broker'
import { Aedes } from 'aedes'
import type { HookStyle } from '../scenarios.ts'

type Done = (error?: Error | null) => void

const [, , name, style, port] = process.argv

/** With and without a callback; Aedes knows the former alone. */
const withCallback: Readonly<Record<HookStyle, (client: unknown, packet: unknown, done: Done) => void>> = {
  sync: (_client, _packet, done) => done(null),
  callback: (_client, _packet, done) => done(null),
  async: (_client, _packet, done) => {
    void Promise.resolve().then(() => done(null))
  },
}
const without: Readonly<Record<Exclude<HookStyle, 'callback'>, NonNullable<BrokerOptions['authorizePublish']>>> = {
  sync: (_client, _packet) => undefined,
  async: async (_client, _packet) => undefined,
}

const hook = style as HookStyle
const broker =
  name === 'aedes'
    ? await Aedes.createBroker({ authorizePublish: withCallback[hook] })
    : createBroker({ authorizePublish: hook === 'callback' ? withCallback.callback : without[hook] })
createServer({ noDelay: true }, socket => void broker.handle(socket)).listen(Number(port), '127.0.0.1')
