import { createRequire } from 'node:module'

/** The version in this package's manifest. */
export const packageVersion: string = (createRequire(import.meta.url)('../package.json') as { version: string }).version
