import type { Subscription } from '@x/packet'
import type {
  AuthenticateHook,
  AuthorizeForwardHook,
  AuthorizePublishHook,
  AuthorizeSubscribeHook,
  HookCallback,
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
 * is not set costs nothing. Called without a callback, as by a wrapper that declares no parameters, they return their result. */
export const defaultHooks: DefaultHooks = {
  preConnect: (_client, _packet, done?: HookCallback<boolean>) => (done === undefined ? true : done(null, true)),
  authenticate: (_client, _username, _password, done?: HookCallback<boolean>) =>
    done === undefined ? true : done(null, true),
  authorizePublish: (client, { topic }, done?: HookCallback<void>) => {
    const error = isReserved(topic, { bridge: client?.bridge === true }) ? topicReserved(topic) : null
    if (done !== undefined) done(error)
    else if (error !== null) throw error
  },
  authorizeSubscribe: (_client, subscription, done?: HookCallback<Subscription>) =>
    done === undefined ? subscription : done(null, subscription),
  authorizeForward: (_client, packet) => packet,
  published: (_packet, _client, done?: HookCallback<void>) => done?.(null),
}
