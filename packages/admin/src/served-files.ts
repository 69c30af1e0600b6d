import { realpathSync } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
}

/** A file that may be sent; its holder closes it. */
export interface ServedFile {
  readonly handle: FileHandle
  readonly type: string
  /** Bytes. */
  readonly size: number
}

/** The files of one directory, and of no other, wherever links in it lead. */
export class ServedFiles {
  readonly #directory: string

  /** @throws Error of Node where there is no such directory */
  constructor(directory: string) {
    this.#directory = realpathSync(directory)
  }

  /** The file at a path of a URL; undefined: there is none that may be sent. */
  async find(path: string): Promise<ServedFile | undefined> {
    if (path.includes('\0')) return undefined
    let handle: FileHandle | undefined
    try {
      const file = await realpath(join(this.#directory, path.endsWith('/') ? `${path}index.html` : path))
      if (!file.startsWith(this.#directory.endsWith(sep) ? this.#directory : this.#directory + sep)) return undefined
      handle = await open(file, 'r')
      const { size, isFile } = await stated(handle)
      if (isFile) return { handle, type: types[extname(file).toLowerCase()] ?? 'application/octet-stream', size }
    } catch {
      // It is not there, or not for this process.
    }
    await handle?.close()
    return undefined
  }
}

async function stated(handle: FileHandle): Promise<{ readonly size: number; readonly isFile: boolean }> {
  const found = await handle.stat()
  return { size: found.size, isFile: found.isFile() }
}
