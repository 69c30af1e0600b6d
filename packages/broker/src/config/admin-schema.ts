import { roles } from '@x/admin'
import type { Role } from '@x/admin'
import { z } from 'zod'
import { accessShape } from './access-schema.ts'
import type { AccessConfig } from './access-schema.ts'

const text = z.string().min(1)
const whole = (least: number, greatest: number): z.ZodInt => z.int().min(least).max(greatest)

/** The API and the dashboard, as a configuration has them. */
export interface AdminConfig {
  port?: number | undefined
  host?: string | undefined
  tls?: { cert: string; key: string } | undefined
  keys?: readonly { name: string; role: Role; key: string }[] | undefined
  users?: Readonly<Record<string, Role>> | undefined
  dashboard?: boolean | undefined
  maximumRequestRate?: number | undefined
  maximumFailures?: number | undefined
}

/** The same as a schema. */
export const adminSchema: z.ZodType<AdminConfig> = z
  .strictObject({
    port: whole(0, 65_535).optional().describe('of the API and the dashboard; 0: any free one (9465)'),
    host: text.optional().describe("address to bind; '*': all; this machine alone unless given (127.0.0.1)"),
    tls: z.strictObject({ cert: text, key: text }).optional().describe('files: certificate and key (PEM) for HTTPS'),
    keys: z
      .array(
        z.strictObject({
          name: text,
          role: z.enum(roles),
          key: z.string().min(16).meta({ description: '16 characters or more', writeOnly: true }),
        }),
      )
      .optional()
      .describe('who may ask with a key; without keys and users one is made for each run, and logged'),
    users: z
      .record(text, z.enum(roles))
      .optional()
      .describe('roles of users, who ask with their name and password; these are those of `access` and the listeners'),
    dashboard: z.boolean().optional().describe('serves the dashboard beside the API (true)'),
    maximumRequestRate: whole(1, 100_000).optional().describe('requests in a second from one address (100)'),
    maximumFailures: whole(1, 1000).optional().describe('wrong keys in a minute from one address (10)'),
  })
  .describe('an HTTP API to look at the broker and change what it does, and a dashboard; none unless given')

/** Mosquitto's HTTP API at one place, as a configuration has it. */
export interface HttpApiConfig {
  port: number
  host?: string | readonly string[] | undefined
  tls?: { cert: string; key: string } | undefined
  directory?: string | undefined
  access?: AccessConfig | undefined
}

/** The same as a schema. */
export const httpApiSchema: z.ZodType<HttpApiConfig> = z.strictObject({
  port: whole(0, 65_535).describe('0: any free one'),
  host: z
    .union([text, z.array(text).min(1)])
    .optional()
    .describe("address, or list of addresses, to bind; '*': all; this machine alone unless given"),
  tls: z.strictObject({ cert: text, key: text }).optional().describe('files: certificate and key (PEM) for HTTPS'),
  directory: text
    .optional()
    .describe('its files are sent for all paths that do not begin with `/api/`; none unless given'),
  access: z
    .strictObject(accessShape)
    .optional()
    .describe('in place of the top-level `access`: who may ask, with which path for a topic that is read'),
})
