import type { HttpOptions, TokenOptions } from '@x/auth'
import { z } from 'zod'

const text = z.string().min(1)
const texts = z.array(text).min(1)
const url = z.url({ protocol: /^https?$/ })
const whole = (least: number, greatest: number): z.ZodInt => z.int().min(least).max(greatest)

type OptionalOf<Fields> = { [Name in keyof Fields]?: Fields[Name] | undefined }

/** Tokens, as a configuration has them. */
export type TokensConfig = OptionalOf<
  Omit<TokenOptions, 'secret' | 'publicKey' | 'keys' | 'issuer' | 'audience'> & {
    secretFile: string
    publicKeyFile: string
    keysFile: string
    issuer: readonly string[]
    audience: readonly string[]
  }
>

/** JSON Web Tokens in place of passwords. */
export const tokensSchema: z.ZodType<TokensConfig> = z
  .strictObject({
    secretFile: text
      .optional()
      .describe('file whose bytes, 32 or more, are the secret of HS256, HS384 and HS512 tokens'),
    publicKeyFile: text
      .optional()
      .describe('or file with a public key or certificate (PEM): RS, PS, ES or EdDSA tokens, by its kind'),
    keysFile: text.optional().describe('or file with a JSON Web Key Set'),
    keysUrl: url
      .optional()
      .describe(
        'or URL of one, read when the first token comes, again every 10 minutes, and for a `kid` that is unknown',
      ),
    issuer: texts.optional().describe('what `iss` must be, or some of them (any)'),
    audience: texts.optional().describe('what `aud` must have, or some of them (any)'),
    algorithms: texts.optional().describe('fewer than those that the keys are good for'),
    usernameClaim: text.optional().describe('claim that is the user name, whatever CONNECT says (`sub`)'),
    clientIdClaim: text.optional().describe('claim that the client identifier must be (any identifier)'),
    groupsClaim: text.optional().describe('claim with a list of groups for `rules`'),
    rolesClaim: text.optional().describe('claim with a list of roles for `rules`'),
    rulesClaim: text.optional().describe('claim with a list of rules that hold for the client beside `rules`'),
    clockTolerance: whole(0, 3600).optional().describe('seconds by which clocks may differ (0)'),
  })
  .describe('JSON Web Tokens in place of passwords; a client is ended (0x87) when its token expires')

/** Servers that are asked by HTTP, as a configuration has them. */
export type HttpConfig = OptionalOf<Omit<HttpOptions, 'url'> & { login: string; authorize: string }>

/** Who may come in, and do what, by an HTTP server. */
export const httpSchema: z.ZodType<HttpConfig> = z
  .strictObject({
    login: url
      .optional()
      .describe('URL that `{"clientid", "username", "password"}` of each client with a user name is posted to'),
    authorize: url
      .optional()
      .describe(
        'URL that `{"clientid", "username", "topic", "action", "acc"}` is posted to for each PUBLISH, will and SUBSCRIBE which the rules allow',
      ),
    timeout: whole(1, 60_000).optional().describe('ms for a response; then the client is refused (2000)'),
    maximumRequests: whole(1, 65_535).optional().describe('questions at a time; more are refused at once (64)'),
    cacheTime: whole(0, 86_400_000)
      .optional()
      .describe('ms that an answer counts for the same question; 0: not at all (30000)'),
    maximumFailures: whole(1, 1_000_000)
      .optional()
      .describe('failures in a row after which the server is left alone for `pause`, and all are refused at once (5)'),
    pause: whole(1, 3_600_000).optional().describe('ms (10000)'),
    headers: z
      .record(text, text.meta({ writeOnly: true }))
      .optional()
      .describe('sent with each question'),
    answers: z
      .enum(['body', 'status'])
      .optional()
      .describe('`body`: the response says `{"result":"allow"}`, `deny` or `ignore`; `status`: 2xx allows (body)'),
  })
  .describe('asks a server who may come in, and who may do what: see [HTTP](../auth/LOGINS.md#http)')
