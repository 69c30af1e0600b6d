/** What somebody wants to do with messages of a topic. */
export type Access = 'publish' | 'receive'

/** What can be explained. */
export type AccessAction = Access | 'subscribe'

/** What was decided, and by what. */
export interface Decision {
  readonly isAllowed: boolean
  /** A sentence for people, or a part of one: the rule and where it stands. */
  readonly why: string
}

/** What is known of a client beside its names. */
export interface SubjectDetails {
  /** The Common Name of the certificate that its listener has verified. */
  readonly certificateName?: string | undefined
  /** What a token or a server says of it, by name. */
  readonly claims?: ReadonlyMap<string, unknown> | undefined
  readonly groups?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  /** Rules in words that hold for it alone, beside those of `OwnRules`. */
  readonly rules?: readonly string[] | undefined
}

/** What one client may do; made once for each client, so what depends on its names is worked out beforehand. */
export interface Rights {
  may(access: Access, topic: string): boolean
  /** Whether it may subscribe to the filter, a shared one (`$share/…`) as it stands. Without it every filter is permitted. */
  maySubscribe?(filter: string): boolean
  /** Whether it may end its subscription to the filter. Without it every filter is permitted. */
  mayUnsubscribe?(filter: string): boolean
  /** Why. It costs more than `may`, which decides the same. */
  explain?(action: AccessAction, topic: string): Decision
}

/** Rules about topics. */
export interface AccessRules {
  /** @param username undefined: the client gave none */
  rightsOf(username: string | undefined, clientId: string, details?: SubjectDetails): Rights
}
