import { parseRule } from '@x/auth'
import { z } from 'zod'
import { httpSchema, tokensSchema } from './login-schema.ts'
import type { HttpConfig, TokensConfig } from './login-schema.ts'

const text = z.string().min(1)

/** A rule in words. What is wrong with it is a sentence of its own. */
const rule: z.ZodType<string> = text.superRefine((value, context) => {
  try {
    parseRule(value)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    context.addIssue({ code: 'custom', message: error.message, input: value })
  }
})

/** What every listener may have of its own: who comes in there, and what they may do. */
export const accessShape: { readonly [Key in keyof Required<AccessConfig>]: z.ZodType<AccessConfig[Key]> } = {
  passwordFile: text.optional().describe('file: users and hashes of their passwords, as `x-broker passwd` writes it'),
  tokens: tokensSchema.optional(),
  http: httpSchema.optional(),
  aclFile: text.optional().describe("file: who may publish and receive what, in Mosquitto's format"),
  dynamicSecurityFile: text
    .optional()
    .describe(
      "file: users, groups and roles in the format of Mosquitto's plugin for dynamic security; changed by commands on `$CONTROL/dynamic-security/v1`, and made when it is not there. The same for all listeners that name one",
    ),
  dynamicSecurityPasswordFile: text
    .optional()
    .describe(
      'file: its first line is the password of the client `admin`, 12 characters or more, where `dynamicSecurityFile` is made. Unless given: `MOSQUITTO_DYNSEC_PASSWORD`, or one that is made up and written to the file with `.pw` behind its name',
    ),
  rules: z
    .array(rule)
    .optional()
    .describe(
      'who may do what: `allow|deny publish|subscribe|receive FILTER for user|client|group|role NAME`, or `for anonymous`, or for everybody without `for`; the filter may have `${username}`, `${clientid}`, `${cert.cn}` and `${claim.NAME}`. What no rule allows is refused, and a denial outweighs all else: see [rules](../auth/RIGHTS.md#rules)',
    ),
  groups: z.record(text, z.array(text)).optional().describe('names of the users of each group, for `rules`'),
  roles: z
    .record(text, z.array(z.string().regex(/^(?:user|client|group) ./)))
    .optional()
    .describe('who has each role, for `rules`: `user NAME`, `client ID` or `group NAME`'),
  allowAnonymous: z
    .boolean()
    .optional()
    .describe(
      'lets in clients without user name, and where nothing says who has one (`passwordFile`, `tokens`, `http`, `dynamicSecurityFile`) all others too. Unless given: in that case, on listeners that this machine alone can reach or that ask for a certificate',
    ),
}

/** Who may log in and do what, as a configuration has it. */
export interface AccessConfig {
  passwordFile?: string | undefined
  tokens?: TokensConfig | undefined
  http?: HttpConfig | undefined
  aclFile?: string | undefined
  dynamicSecurityFile?: string | undefined
  dynamicSecurityPasswordFile?: string | undefined
  rules?: readonly string[] | undefined
  groups?: Readonly<Record<string, readonly string[]>> | undefined
  roles?: Readonly<Record<string, readonly string[]>> | undefined
  allowAnonymous?: boolean | undefined
}
