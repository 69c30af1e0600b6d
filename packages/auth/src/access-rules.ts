/** What somebody wants to do with messages of a topic. */
export type Access = 'publish' | 'receive'

/** What one client may do; made once for each client, so what depends on its names is worked out beforehand. */
export interface Rights {
  may(access: Access, topic: string): boolean
  /** Whether it may subscribe to the filter, a shared one (`$share/…`) as it stands. Without it every filter is permitted. */
  maySubscribe?(filter: string): boolean
  /** Whether it may end its subscription to the filter. Without it every filter is permitted. */
  mayUnsubscribe?(filter: string): boolean
}

/** Rules about topics. */
export interface AccessRules {
  /** @param username undefined: the client gave none */
  rightsOf(username: string | undefined, clientId: string): Rights
}
