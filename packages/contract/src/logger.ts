/** What the broker needs of a logger; pino's have it. `fields` are facts for machines, `text` the sentence. */
export interface Logger {
  /** False: what is logged at that level is thrown away, so it need not be gathered. All levels count as enabled when it is
   * missing. */
  isLevelEnabled?(level: 'debug' | 'info' | 'warn' | 'error'): boolean
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
