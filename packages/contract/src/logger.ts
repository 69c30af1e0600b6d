/** What the broker needs of a logger; pino's have it. `fields` are facts for machines, `text` the sentence. */
export interface Logger {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
