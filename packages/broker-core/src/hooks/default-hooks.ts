import type {
  AuthenticateHook,
  AuthorizeForwardHook,
  AuthorizePublishHook,
  AuthorizeSubscribeHook,
  PreConnectHook,
  PublishedHook,
} from './hooks.ts'
import { isReserved, topicReserved } from '../message/reserved-topic.ts'

interface DefaultHooks {
  readonly preConnect: PreConnectHook
  readonly authenticate: AuthenticateHook
  readonly authorizePublish: AuthorizePublishHook
  readonly authorizeSubscribe: AuthorizeSubscribeHook
  readonly authorizeForward: AuthorizeForwardHook
  readonly published: PublishedHook
}

/** The hooks that a broker's properties return where none is set, for programs that wrap them. The engine never calls them: a hook that
 * is not set costs nothing. */
export const defaultHooks: DefaultHooks = {
  preConnect: (_client, _packet, done) => done(null, true),
  authenticate: (_client, _username, _password, done) => done(null, true),
  authorizePublish: (client, { topic }, done) =>
    done(isReserved(topic, { bridge: client?.bridge === true }) ? topicReserved(topic) : null),
  authorizeSubscribe: (_client, subscription, done) => done(null, subscription),
  authorizeForward: (_client, packet) => packet,
  published: (_packet, _client, done) => done(null),
}
