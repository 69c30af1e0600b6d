/** What somebody wants to do with messages of a topic. */
export type Access = 'publish' | 'receive'

/** What one client may do; made once for each client, so what depends on its names is worked out beforehand. */
export interface Rights {
  may(access: Access, topic: string): boolean
}

/** Rules about topics. */
export interface AccessRules {
  /** @param username undefined: the client gave none */
  rightsOf(username: string | undefined, clientId: string): Rights
}
