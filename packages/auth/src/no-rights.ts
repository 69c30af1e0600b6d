import type { AccessRules } from './access-rules.ts'
import { DynamicSecurity } from './dynamic-security/dynamic-security.ts'

/** Rights of a client that is about to be ended. */
export const nothingAtAll: AccessRules = {
  rightsOf: () => ({ may: () => false, maySubscribe: () => false }),
}

const responses = `${DynamicSecurity.topic}/response`
/** Rights of one that waits for the response to its command, before it is ended. */
export const responseAlone: AccessRules = {
  rightsOf: () => ({
    may: (access, topic) => access === 'receive' && topic === responses,
    maySubscribe: () => false,
    mayUnsubscribe: () => false,
  }),
}
