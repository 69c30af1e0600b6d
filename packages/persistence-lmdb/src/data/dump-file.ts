import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { parseRecord } from './dump.ts'
import type { DumpRecord } from './dump.ts'

const chunkSize = 65_536

/** The records of a dump, read as they are asked for.
 * @throws PersistenceError `OPTION_INVALID` for a line that is none; the system's error when the file can't be read */
export function* readDumpFile(path: string): Generator<DumpRecord> {
  let line = 0
  for (const text of lines(path)) {
    line += 1
    if (text !== '') yield parseRecord(text, line)
  }
}

function* lines(path: string): Generator<string> {
  const file = openSync(path, 'r')
  const chunk = Buffer.allocUnsafe(chunkSize)
  const decoder = new StringDecoder('utf8')
  let rest: string[] = []
  try {
    for (;;) {
      const length = readSync(file, chunk)
      if (length === 0) break
      const [head = '', ...others] = decoder.write(chunk.subarray(0, length)).split('\n')
      rest.push(head)
      for (const other of others) {
        yield rest.join('')
        rest = [other]
      }
    }
    yield rest.join('')
  } finally {
    closeSync(file)
  }
}
