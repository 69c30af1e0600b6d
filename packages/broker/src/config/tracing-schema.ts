import { z } from 'zod'

/** Which messages are followed, as a configuration has it. */
export interface TracingConfig {
  ratio?: number | undefined
  maximumPerSecond?: number | undefined
  maximumDeliveries?: number | undefined
}

const whole = (least: number, greatest: number): z.ZodInt => z.int().min(least).max(greatest)

/** The same as a schema. */
export const tracingSchema: z.ZodType<TracingConfig> = z
  .strictObject({
    ratio: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('share of the messages without `traceparent` that begin a trace of their own (0)'),
    maximumPerSecond: whole(1, 1_000_000).optional().describe('messages that are followed in a second (100)'),
    maximumDeliveries: whole(0, 1_000_000).optional().describe('spans of deliveries for one message (100)'),
  })
  .describe('spans of OpenTelemetry, by an SDK that `NODE_OPTIONS=--require` loads; none unless given')
