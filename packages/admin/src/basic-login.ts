/** Who asks, by name and password. */
export interface BasicLogin {
  readonly username: string
  readonly password: string
}

/** The credentials of the scheme `Basic`. RFC 7617 */
export function basicLogin(credentials: string): BasicLogin {
  const text = Buffer.from(credentials, 'base64').toString()
  const colon = text.indexOf(':')
  return { username: text.slice(0, Math.max(0, colon)), password: text.slice(colon + 1) }
}
