import { readFileSync, readdirSync } from 'node:fs'

/** A file of the dashboard. */
export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
}

const folder = new URL('../page/', import.meta.url)
/** What the build has made of the page's TypeScript. */
const scripts = new URL('../dist/page/', import.meta.url)

/** The files of the dashboard by their paths, read once. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  const add = (path: string, file: URL, type: string): void => {
    files.set(path, { type, bytes: readFileSync(file) })
  }
  add('/', new URL('index.html', folder), 'text/html; charset=utf-8')
  add('/style.css', new URL('style.css', folder), 'text/css; charset=utf-8')
  add('/icon.svg', new URL('icon.svg', folder), 'image/svg+xml')
  for (const name of readdirSync(scripts).filter(one => one.endsWith('.js'))) {
    add(`/${name}`, new URL(name, scripts), 'text/javascript; charset=utf-8')
  }
  return files
}

/** Nothing of another host, no script but the page's own, and no text that becomes markup. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cache-control': 'no-cache',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}
