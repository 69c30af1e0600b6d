import type { LoginCheck } from '@x/auth'
import type { Prepared } from '../config/prepare.ts'

/** Whether the password of a user is right. */
export type PasswordCheck = (username: string, password: Buffer) => Promise<boolean>

/** As Mosquitto's HTTP API names itself to checks. */
const clientId = 'http-api'

/** Asks all that know passwords, of all listeners, until one decides. Somebody whom none of them knows is nobody, also where
 * anonymous clients may connect. */
export function passwordsOf({ access }: Prepared): PasswordCheck {
  const policies = Object.values(access?.listeners ?? {})
  const checks = new Set<LoginCheck>()
  for (const { dynamicSecurity, logins = [] } of policies) {
    if (dynamicSecurity !== undefined) checks.add(dynamicSecurity)
    for (const one of logins) checks.add(one)
  }
  return async (username, password) => {
    for (const one of checks) {
      const verdict = await one.check({ clientId, username, password })
      if (typeof verdict === 'object' || verdict === 'accept') return true
      if (verdict === 'refuse') return false
    }
    return false
  }
}
